// Which room may include which: the rule itself, apart from the files it is applied to.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "rules/source_tree.h"

namespace attune::rules {

using Ranks = std::map<std::string, int, std::less<>>;

// From "base:0,problem:1,", which CMake writes from the declarations of the rooms.
Ranks parse_ranks(std::string_view text);

// "lib/cuda/driver.cpp" -> "cuda", "tuner/main.cpp" -> "tuner", else "".
std::string room_of(std::string_view path);

// The path named by an #include line, else "".
std::string included_path(std::string_view line);

// Why this file may not include that path; "" when it may.
std::string include_offence(const Ranks& ranks, std::string_view file_path, std::string_view included);

}  // namespace attune::rules

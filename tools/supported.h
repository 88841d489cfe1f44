// What is supported, asked of the library itself: which descriptions are accepted, and for which of them a
// family has a config that fits, on every known architecture.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace attune {

// As Markdown: a table of head dimensions by dtype and architecture, and what holds for all of it.
std::string supported_markdown();

// "1 to 256"; "8 to 256 in steps of 8"; "64, 128"; "none". `values` ascend.
std::string range_text(const std::vector<int64_t>& values);

}  // namespace attune

// The repository's sources as the rules see them: lines, with comments and string contents taken out on
// request.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace attune::rules {

struct SourceFile {
  std::string path;  // relative to the repository, with '/'
  std::vector<std::string> lines;
};

// Every C, C++ or CUDA source below the folder, sorted by path. A folder that is not there has none.
std::vector<SourceFile> source_files(std::string_view folder);

// Splits text at line ends.
std::vector<std::string> split_lines(std::string_view text);

// The same lines with comments blanked, and string contents too unless they are to be kept (as #include
// needs).
std::vector<std::string> code_only(const std::vector<std::string>& lines, bool keep_strings);

// "path:line", as compilers print it.
std::string location(const SourceFile& file, std::size_t line_index);

}  // namespace attune::rules

// A file fits into a head: under 400 lines, or a comment says why not.
#include "rules/source_tree.h"
#include "support/catch.h"

using namespace attune::rules;

namespace {

constexpr std::size_t line_limit = 400;
constexpr std::string_view marker = "// attune: long file because ";

bool has_reason(const SourceFile& file) {
  for (const std::string& line : file.lines) {
    const std::size_t at = line.find(marker);
    if (at != std::string::npos && at + marker.size() < line.size()) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("files stay under 400 lines") {
  for (const char* folder : {"lib", "tuner", "tools", "kernel_templates"}) {
    for (const SourceFile& file : source_files(folder)) {
      if (file.lines.size() < line_limit || has_reason(file)) continue;
      FAIL_CHECK(location(file, line_limit - 1)
                 << ": the file has " << file.lines.size() << " lines; cut it, or give the reason: '"
                 << marker << "...'");
    }
  }
  SUCCEED();
}

TEST_CASE("a long file needs a reason, not only the marker") {
  SourceFile file{.path = "lib/base/long.cpp", .lines = std::vector<std::string>(500)};
  CHECK_FALSE(has_reason(file));
  file.lines[0] = marker;
  CHECK_FALSE(has_reason(file));
  file.lines[0] += "it is one table";
  CHECK(has_reason(file));
}

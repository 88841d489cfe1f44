// Inline assembly lives in kernel_templates/isa alone: a new instruction set is one file.
#include <regex>

#include "rules/source_tree.h"
#include "support/catch.h"

using namespace attune::rules;

namespace {

bool has_asm(const std::string& code) {
  static const std::regex pattern(
      R"(\b(asm|__asm|__asm__)\s*(\(|\{|volatile\b|__volatile__\b|goto\b|inline\b|$))");
  return std::regex_search(code, pattern);
}

bool code_has_asm(std::string_view text) {
  for (const std::string& line : code_only(split_lines(text), false)) {
    if (has_asm(line)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("inline assembly only in kernel_templates/isa") {
  for (const char* folder : {"lib", "tuner", "tools", "kernel_templates"}) {
    for (const SourceFile& file : source_files(folder)) {
      if (file.path.starts_with("kernel_templates/isa/")) continue;
      const std::vector<std::string> code = code_only(file.lines, false);
      for (std::size_t i = 0; i < code.size(); ++i) {
        if (has_asm(code[i]))
          FAIL_CHECK(location(file, i) << ": inline assembly outside kernel_templates/isa");
      }
    }
  }
  SUCCEED();
}

TEST_CASE("the search for inline assembly sees code, not comments or strings") {
  CHECK(code_has_asm("asm volatile(\"nop\");"));
  CHECK(code_has_asm("  __asm__(\"nop\");"));
  CHECK(code_has_asm("/* why */ asm(\"nop\"); // x"));
  CHECK(code_has_asm("int n = 1'000;\nasm\n(\"nop\");"));
  CHECK_FALSE(code_has_asm("// asm volatile(\"nop\");"));
  CHECK_FALSE(code_has_asm("/* asm\n asm(\"nop\") */ int asm_count(int);"));
  CHECK_FALSE(code_has_asm("const char* text = \"asm volatile(\\\"nop\\\")\";"));
  CHECK_FALSE(code_has_asm("const char* text = R\"x(asm(\"nop\")\")x\";"));
}

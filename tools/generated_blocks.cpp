#include "tools/generated_blocks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/environment.h"
#include "base/error.h"
#include "tools/supported.h"

namespace attune {
namespace {

constexpr std::string_view kOpen = "<!-- generated: ";
constexpr std::string_view kOpenEnd = " -->\n";
constexpr std::string_view kClose = "<!-- /generated -->\n";

struct Block {
  std::string_view name;
  std::string (*text)();
};

constexpr Block kBlocks[] = {{"supported", supported_markdown}, {"environment", environment_markdown}};

std::string text_of(std::string_view name, std::ptrdiff_t line) {
  for (const Block& block : kBlocks) {
    if (block.name == name) return block.text();
  }
  fail(ATTUNE_ERROR_INVALID_ARGUMENT, "line {}: there is no generated block '{}'", line, name);
}

// Markdown wants bars inside a cell escaped.
std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace

std::string environment_markdown() {
  std::string text = "| variable | values | meaning |\n|---|---|---|\n";
  for (const EnvironmentEntry& entry : environment_table())
    text += fmt::format("| `{}` | {} | {} |\n", entry.name, cell(entry.values), cell(entry.meaning));
  return text;
}

std::string with_generated_blocks(std::string_view document) {
  std::string result;
  size_t at = 0;
  const auto line_of = [&](size_t position) {
    return 1 + std::count(document.begin(), document.begin() + static_cast<std::ptrdiff_t>(position), '\n');
  };
  while (true) {
    const size_t open = document.find(kOpen, at);
    const size_t stray = document.substr(0, open).find(kClose, at);
    if (stray != std::string_view::npos) {
      fail(ATTUNE_ERROR_INVALID_ARGUMENT, "line {}: the end of a generated block that has no beginning",
           line_of(stray));
    }
    if (open == std::string_view::npos) break;
    const size_t name = open + kOpen.size();
    const size_t name_end = document.find(kOpenEnd, name);
    const size_t close = document.find(kClose, name);
    const size_t next = document.find(kOpen, name);
    if (name_end == std::string_view::npos || close == std::string_view::npos || close < name_end ||
        next < close) {
      fail(ATTUNE_ERROR_INVALID_ARGUMENT, "line {}: a generated block without an end", line_of(open));
    }
    result += document.substr(at, name_end + kOpenEnd.size() - at);
    result += text_of(document.substr(name, name_end - name), line_of(open));
    result += kClose;
    at = close + kClose.size();
  }
  return result += document.substr(at);
}

}  // namespace attune

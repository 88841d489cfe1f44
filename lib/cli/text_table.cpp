#include "cli/text_table.h"

#include <algorithm>

#include "base/error.h"

namespace attune {
namespace {

bool starts_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
}

std::string padded(const std::string& cell, size_t width, bool right) {
  const std::string space(width - display_width(cell), ' ');
  return right ? space + cell : cell + space;
}

}  // namespace

size_t display_width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

std::string shorten(std::string_view text, size_t width) {
  constexpr std::string_view kMark = "...";
  if (display_width(text) <= width || width < kMark.size()) return std::string(text);
  size_t end = 0;
  for (size_t seen = 0; end < text.size(); ++end) {
    if (starts_character(text[end]) && seen++ == width - kMark.size()) break;
  }
  return std::string(text.substr(0, end)) + std::string(kMark);
}

void TextTable::add_row(std::vector<std::string> cells) {
  if (cells.size() != columns_.size()) {
    fail(ATTUNE_ERROR_INTERNAL, "a row of {} cells for {} columns", cells.size(), columns_.size());
  }
  rows_.push_back(std::move(cells));
}

std::string TextTable::text(std::string_view indent) const {
  std::vector<std::string> lines(rows_.size() + 1, std::string(indent));
  bool is_first = true;
  for (size_t column = 0; column < columns_.size(); ++column) {
    size_t width = 0;
    for (const auto& row : rows_)
      width = std::max(width, display_width(row[column]));
    if (width == 0) continue;
    width = std::max(width, display_width(columns_[column].title));
    for (size_t line = 0; line < lines.size(); ++line) {
      const std::string& cell = line == 0 ? columns_[column].title : rows_[line - 1][column];
      lines[line] += (is_first ? "" : "  ") + padded(cell, width, columns_[column].right);
    }
    is_first = false;
  }
  std::string all;
  for (std::string& line : lines) {
    line.erase(line.find_last_not_of(' ') + 1);
    all += line + "\n";
  }
  return all;
}

}  // namespace attune

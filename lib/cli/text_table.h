// TextTable: columns of text, aligned for people.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace attune {

struct TextColumn {
  std::string title;
  bool right = false;  // numbers end under each other
};

class TextTable {
 public:
  explicit TextTable(std::vector<TextColumn> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns.
  void add_row(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  // Title line and rows, each ended by a line feed; columns that are empty in every row are left out.
  std::string text(std::string_view indent = "") const;

 private:
  std::vector<TextColumn> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Columns a UTF-8 text takes on a terminal, for the characters we print: one per code point.
size_t display_width(std::string_view text);

// At most `width` columns, the end replaced by "..." when it must.
std::string shorten(std::string_view text, size_t width);

}  // namespace attune

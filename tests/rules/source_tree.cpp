#include "rules/source_tree.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

namespace attune::rules {
namespace {

bool is_source(const std::filesystem::path& path) {
  static constexpr std::array endings{".h", ".hpp", ".c", ".cpp", ".cuh", ".cu"};
  return std::ranges::any_of(endings, [&](const char* ending) { return path.extension() == ending; });
}

std::string read(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

// Walks over the text once, keeping line ends and blanking what is not code.
class Scanner {
 public:
  Scanner(std::string text, bool keep_strings) : text_(std::move(text)), keep_strings_(keep_strings) {}

  std::string scan() {
    while (at_ < text_.size()) {
      if (next_is("//")) {
        blank_until("\n", 0);
      } else if (next_is("/*")) {
        blank_until("*/", 2);
      } else if (next_is("R\"")) {
        raw_string();
      } else if (text_[at_] == '"' || (text_[at_] == '\'' && !in_number())) {
        quoted(text_[at_]);
      } else {
        out_ += text_[at_++];
      }
    }
    return out_;
  }

 private:
  bool next_is(std::string_view what) const { return text_.compare(at_, what.size(), what) == 0; }

  // 1'000 has a separator, not a character literal.
  bool in_number() const { return at_ > 0 && std::isalnum(static_cast<unsigned char>(text_[at_ - 1])); }

  void put(bool keep) {
    const char c = text_[at_++];
    out_ += keep || c == '\n' ? c : ' ';
  }

  void blank_until(std::string_view end, std::size_t extra) {
    const std::size_t stop = std::min(text_.find(end, at_ + extra), text_.size());
    while (at_ < std::min(stop + extra, text_.size()))
      put(false);
  }

  void quoted(char quote) {
    put(true);
    while (at_ < text_.size() && text_[at_] != quote && text_[at_] != '\n') {
      if (text_[at_] == '\\') put(keep_strings_);
      if (at_ < text_.size()) put(keep_strings_);
    }
    if (at_ < text_.size()) put(true);
  }

  void raw_string() {
    const std::size_t open = std::min(text_.find('(', at_), text_.size());
    const std::string close = ")" + text_.substr(at_ + 2, open - at_ - 2) + "\"";
    const std::size_t stop = std::min(text_.find(close, open), text_.size());
    while (at_ < std::min(stop + close.size(), text_.size()))
      put(keep_strings_);
  }

  std::string text_;
  bool keep_strings_;
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::vector<SourceFile> source_files(std::string_view folder) {
  namespace fs = std::filesystem;
  const fs::path root = ATTUNE_SOURCE_DIR;
  std::vector<SourceFile> files;
  if (!fs::is_directory(root / folder)) return files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / folder)) {
    if (!entry.is_regular_file() || !is_source(entry.path())) continue;
    const std::string path = entry.path().lexically_relative(root).generic_string();
    files.push_back({.path = path, .lines = split_lines(read(entry.path()))});
  }
  std::ranges::sort(files, {}, &SourceFile::path);
  return files;
}

std::vector<std::string> code_only(const std::vector<std::string>& lines, bool keep_strings) {
  std::string text;
  for (const std::string& line : lines)
    text += line + "\n";
  return split_lines(Scanner(std::move(text), keep_strings).scan());
}

std::string location(const SourceFile& file, std::size_t line_index) {
  return file.path + ":" + std::to_string(line_index + 1);
}

}  // namespace attune::rules

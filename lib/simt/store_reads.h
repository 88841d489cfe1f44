// StoreReads: which lines of shared memory the copy engine's unfinished stores read. Nobody may write there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "simt/stamp.h"

namespace attune::simt {

class StoreReads {
 public:
  void reset(size_t lines) {
    line_count_ = lines;
    lines_.clear();
    used_ = false;
  }
  void begin_block() {
    if (used_) std::ranges::fill(lines_, Line{});
    used_ = false;
  }

  void begin(size_t line, Stamp issue) {
    if (lines_.empty()) lines_.assign(line_count_, Line{});
    used_ = true;
    lines_[line].issue = issue;
    ++lines_[line].stores;
  }
  void end(size_t line) { --lines_[line].stores; }

  bool any(size_t line) const { return used_ && lines_[line].stores > 0; }
  Stamp issue(size_t line) const { return lines_[line].issue; }  // of the newest

 private:
  struct Line {
    Stamp issue;
    uint32_t stores = 0;
  };

  size_t line_count_ = 0;
  bool used_ = false;
  std::vector<Line> lines_;  // none before the first store
};

}  // namespace attune::simt

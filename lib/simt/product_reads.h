// ProductReads: for each line of shared memory, the last product by which each warp reads it. Whoever writes
// there must know that the warp has waited for it.
//
// Products run while their threads go on, so this is kept apart from the accesses of threads: what matters is
// who waited, not when the reads were asked for.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "simt/knowledge.h"

namespace attune::simt {

class ProductReads {
 public:
  void reset(size_t lines) {
    lines_ = lines;
    last_.clear();
    used_ = false;
  }
  void begin_block() {
    if (used_) std::ranges::fill(last_, 0u);
    used_ = false;
    for (std::vector<Stamp>& issues : issues_)
      issues.clear();
  }

  // The next product of a warpgroup; its number, from 1 on.
  uint32_t begin(int warpgroup, Stamp issue) {
    if (last_.empty()) last_.assign(lines_ * kWarps, 0);
    used_ = true;
    issues_[warpgroup].push_back(issue);
    return static_cast<uint32_t>(issues_[warpgroup].size());
  }
  void add(size_t line, int first_warp, int warps, uint32_t product) {
    std::fill_n(&last_[line * kWarps + static_cast<size_t>(first_warp)], warps, product);
  }

  // A warp whose last product that reads the line may go on, as far as a thread knows: its own one first.
  // kNone when there is none.
  static constexpr int kNone = -1;
  int unseen_warp(size_t line, int thread, const Knowledge& knowledge) const {
    if (!used_) return kNone;
    const uint32_t* last = &last_[line * kWarps];
    const int own = thread / 32;
    if (last[own] != 0 && !knowledge.has_seen_product(thread, own, last[own])) return own;
    for (int warp = 0; warp < kWarps; ++warp) {
      if (last[warp] != 0 && !knowledge.has_seen_product(thread, warp, last[warp])) return warp;
    }
    return kNone;
  }
  // Where that product was asked for.
  Stamp issue(size_t line, int warp) const {
    return issues_[warp / 4][last_[line * kWarps + static_cast<size_t>(warp)] - 1];
  }

 private:
  static constexpr int kWarps = 32;

  size_t lines_ = 0;
  bool used_ = false;
  std::vector<uint32_t> last_;  // [line][warp], 0: none
  std::vector<Stamp> issues_[kWarps / 4];
};

}  // namespace attune::simt

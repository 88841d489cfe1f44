// ProxyFences: when the block's threads called async_proxy_fence, by which the copy engine sees what a thread
// wrote before.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "simt/stamp.h"

namespace attune::simt {

class ProxyFences {
 public:
  void begin_block() { fences_.clear(); }

  // The thread's clock then goes on, so that what it writes afterwards has another stamp.
  // NOTE: but for more than Stamp::kMaxArrivals arrivals and fences in one epoch of the warp: a write after
  // those passes for fenced.
  void add(Stamp fence) {
    const auto thread = static_cast<size_t>(fence.thread());
    if (fences_.size() <= thread) fences_.resize(thread + 1);
    std::vector<Stamp>& own = fences_[thread];
    if (own.empty() || own.back().clock() < fence.clock()) own.push_back(fence);
  }

  // The first fence of the writer's thread that covers the write; nullptr: there is none.
  const Stamp* first_after(Stamp write) const {
    const auto thread = static_cast<size_t>(write.thread());
    if (thread >= fences_.size()) return nullptr;
    const std::vector<Stamp>& own = fences_[thread];
    const auto found = std::ranges::lower_bound(own, write.clock(), {}, &Stamp::clock);
    return found == own.end() ? nullptr : &*found;
  }

 private:
  std::vector<std::vector<Stamp>> fences_;  // by thread, in the order of time
};

}  // namespace attune::simt

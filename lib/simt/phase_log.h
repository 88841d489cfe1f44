// PhaseLog: which phases of the block's mbarriers each thread knows to be complete, because it waited for
// them or met one who had at a block barrier. What tensor copies bring is visible to those threads only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace attune::simt {

class PhaseLog {
 public:
  static constexpr int kMaxBarriers = 64;

  void begin_block(int threads) { seen_.assign(static_cast<size_t>(threads) * kMaxBarriers, 0); }

  // The first `completed` phases of a barrier are over for this thread.
  void observe(int thread, int barrier, uint32_t completed) {
    uint32_t& seen = seen_[index(thread, barrier)];
    seen = std::max(seen, completed);
  }
  bool has_seen(int thread, int barrier, uint32_t phase) const {
    return seen_[index(thread, barrier)] > phase;
  }

  // At a block barrier: everybody knows what anybody knew.
  void share() {
    for (size_t barrier = 0; barrier < kMaxBarriers; ++barrier) {
      uint32_t most = 0;
      for (size_t i = barrier; i < seen_.size(); i += kMaxBarriers)
        most = std::max(most, seen_[i]);
      if (most == 0) continue;
      for (size_t i = barrier; i < seen_.size(); i += kMaxBarriers)
        seen_[i] = most;
    }
  }

 private:
  static size_t index(int thread, int barrier) {
    return static_cast<size_t>(thread) * kMaxBarriers + static_cast<size_t>(barrier);
  }

  std::vector<uint32_t> seen_;
};

}  // namespace attune::simt

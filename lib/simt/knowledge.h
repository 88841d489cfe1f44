// Knowledge: what each thread of a block knows to be over, beyond what block barriers and its own warp's
// barriers say: accesses of other threads, phases of mbarriers, products that read shared memory. It spreads
// when threads meet at barriers, and through mbarriers from those who arrive to those who wait.
//
// Vector clocks, one row of numbers per thread; whoever learns takes the larger of each pair of numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "simt/stamp.h"

namespace attune::simt {

class Knowledge {
 public:
  static constexpr int kMaxBarriers = 64;
  using Row = std::vector<uint32_t>;

  void begin_block(int threads);
  // One that knows nothing.
  Row empty_row() const { return Row(stride(), 0); }

  // The thread's access that `earlier` stamps is over for `thread`.
  bool has_seen(int thread, Stamp earlier) const {
    return used_ && rows_[at(thread) + static_cast<size_t>(earlier.thread())] > earlier.clock();
  }
  // So is a phase of an mbarrier: the first `completed` are after observe().
  bool has_seen_phase(int thread, int barrier, uint32_t phase) const {
    return used_ && rows_[phase_at(thread, barrier)] > phase;
  }
  void observe_phases(int thread, int barrier, uint32_t completed);
  // So is a warp's part in the products of its warpgroup, up to a number that counts from 1.
  bool has_seen_product(int thread, int warp, uint32_t product) const {
    return rows_[product_at(thread, warp)] >= product;
  }
  void observe_products(int thread, int warp, uint32_t last);

  // What the thread knows and has done itself goes into `row`; `me` is of its present moment.
  void release(Row& row, Stamp me);
  void acquire(int thread, const Row& row);

  // At a barrier of all threads, which orders accesses by itself.
  void share_in_block();
  // At a barrier of a warp, which orders its own accesses by itself.
  void share_in_warp(int warp);
  // At a barrier of a warpgroup, whose warps then begin new epochs; `epochs` are those that end.
  void share_in_warpgroup(int warpgroup, const uint32_t (&epochs)[4]);

 private:
  size_t stride() const;
  size_t at(int thread) const { return static_cast<size_t>(thread) * stride_; }
  size_t phase_at(int thread, int barrier) const {
    return at(thread) + static_cast<size_t>(threads_) + static_cast<size_t>(barrier);
  }
  size_t product_at(int thread, int warp) const {
    return phase_at(thread, kMaxBarriers) + static_cast<size_t>(warp);
  }
  void collect(int first, int count, size_t from);
  void spread(int first, int count, size_t from);
  void learned(int thread);

  int threads_ = 0;
  size_t stride_ = 0;
  bool used_ = false;           // else every row is empty
  std::vector<uint32_t> rows_;  // [thread][clocks of threads, phases of barriers, products of warps]
  std::vector<uint8_t> news_;   // by warp: a thread knows what others of its warp may not
  Row all_;                     // of those who meet
};

}  // namespace attune::simt

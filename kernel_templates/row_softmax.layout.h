// Shared memory of row_softmax: one formula for the kernel and for the host's budget.
#pragma once

namespace attune {

struct RowSoftmaxLayout {
  int warps;  // of a block
  int rows_per_block;

  // One partial maximum and one partial sum per warp and row.
  constexpr int maximum_offset() const { return 0; }
  constexpr int sum_offset() const { return warps * rows_per_block * 4; }
  constexpr int shared_bytes() const { return 2 * warps * rows_per_block * 4; }
};

}  // namespace attune

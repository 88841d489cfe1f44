// The fixed operand of f32 and f64 products.
#pragma once

#include "tile/shared_tile.cuh"

namespace attune {

// Q stays in shared memory: in registers it would not fit beside the output.
template <typename T, int M, int DIM, int ROW_CHUNKS, bool IN_REGISTERS>
struct QueryFragment {
  static_assert(!IN_REGISTERS, "Q_IN_REGISTERS is for 16-bit elements");
  SharedTile<T, ROW_CHUNKS> rows;

  ATTUNE_FN explicit QueryFragment(const SharedTile<T, ROW_CHUNKS>& warp_rows) : rows(warp_rows) {}
  ATTUNE_FN void fetch() {}
};

}  // namespace attune

// Storing a warpgroup's rows: through shared memory, by the copy engine.
#pragma once

#include "tile/products_warpgroup.cuh"

namespace attune {

// The thread of each warpgroup that starts its stores, and waits for them.
ATTUNE_FN bool starts_stores() {
  return thread_index() % 128 == 0;
}

// Writes 64 rows, each times its factor, to the first 64 rows of `tile`. A step stores 16 columns of the
// warp's 16 rows: four matrices, whose rows the lanes name in the order of the fragments. The last step of an
// odd number of eights has eight columns of zeros.
template <typename T, int DIM, int ROW_CHUNKS, int PANEL_ROWS>
ATTUNE_FN void pack_rows(const SharedTile<T, ROW_CHUNKS, PANEL_ROWS>& tile, const WarpgroupSum<DIM>& sum,
                         const float (&factor)[2]) {
  constexpr int kSteps = (DIM + 15) / 16;
  static_assert(DIM % 8 == 0 && 2 * kSteps <= ROW_CHUNKS, "the tile has room for all columns");
  const int lane = lane_index();
  const TileCursor<T, ROW_CHUNKS, PANEL_ROWS> cursor(tile, 16 * (warp_index() % 4) + lane % 16, lane / 16);
  ATTUNE_UNROLL
  for (int step = 0; step < kSteps; ++step) {
    u32 fragment[1][4] = {};
    ATTUNE_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int n = 2 * step + i / 2;
      if (n >= DIM / 8) continue;
      const float(&eight)[4] = sum.value[n];
      fragment[0][i] =
          pack_pair<T>(eight[2 * (i % 2)] * factor[i % 2], eight[2 * (i % 2) + 1] * factor[i % 2]);
    }
    store_matrices(fragment, [&](int) { return cursor.at(0, 2 * step); });
  }
}

// Starts storing 64 rows, each times its factor, to the rows from `row` on of the tensor that `map` describes
// by single panels and boxes of 64 rows; rows and columns that it has not are left out. `tile` is the
// warpgroup's own, and free; reclaim_tile() comes before it is written again, finish_stores() before the end.
// A collective of the warpgroup.
template <typename T, int DIM, int ROW_CHUNKS, int PANEL_ROWS>
ATTUNE_FN void start_store(const TensorMap& map, const SharedTile<T, ROW_CHUNKS, PANEL_ROWS>& tile,
                           const WarpgroupSum<DIM>& sum, const float (&factor)[2], int row, int head,
                           int batch) {
  constexpr int kPanelColumns = 64;
  pack_rows(tile, sum, factor);
  async_proxy_fence();
  warpgroup_barrier();
  if (!starts_stores()) return;
  ATTUNE_UNROLL
  for (int column = 0; column < DIM; column += kPanelColumns)
    store_tensor(map, tile.chunk(0, column / 8), column, row, head, batch);
  bulk_commit();
}

// The stores started so far no longer read their tile: before the kernel's end, whoever started any must have
// come here. Others go on.
ATTUNE_FN void finish_stores() {
  if (starts_stores()) bulk_wait_read<0>();
}

// The warpgroup may write to the tile again. A collective of it.
ATTUNE_FN void reclaim_tile() {
  finish_stores();
  warpgroup_barrier();
}

}  // namespace attune

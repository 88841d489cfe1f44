// Storing a warpgroup's rows: through shared memory, by the copy engine.
#pragma once

#include "tile/products_warpgroup.cuh"

namespace attune {

// Writes 64 rows, each times its factor, to the first 64 rows of `tile`. A step stores 16 columns of the
// warp's 16 rows: four matrices, whose rows the lanes name in the order of the fragments. The last step of an
// odd number of eights has eight columns of zeros. The copy engine sees what the caller wrote.
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
  async_proxy_fence();
}

// Starts storing the first DIM columns of a tile to 64 rows from `row` on of the tensor that `map` describes
// by single panels and boxes of 64 rows; rows and columns that it has not are left out. One thread does it,
// once everybody has packed rows and arrived; after its bulk_wait_read<0>() the tile may be written again.
template <int DIM, typename T, int ROW_CHUNKS, int PANEL_ROWS>
ATTUNE_FN void start_store(const TensorMap& map, const SharedTile<T, ROW_CHUNKS, PANEL_ROWS>& tile, int row,
                           int head, int batch) {
  constexpr int kPanelColumns = 64;
  ATTUNE_UNROLL
  for (int column = 0; column < DIM; column += kPanelColumns)
    store_tensor(map, tile.chunk(0, column / 8), column, row, head, batch);
  bulk_commit();
}

}  // namespace attune

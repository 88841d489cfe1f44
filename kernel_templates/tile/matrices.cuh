// Matrix loads from a tile of 16-bit elements: 16 rows by two chunks (16 columns) at a time, in four
// matrices.
#pragma once

#include "tile/shared_tile.cuh"

namespace attune {

// One lane's row and chunk in such loads, for matrices in the order (upper left, lower left, upper right,
// lower right): fragments of Q, and of V transposed.
template <typename T, int ROW_CHUNKS, int PANEL_ROWS>
ATTUNE_FN TileCursor<T, ROW_CHUNKS, PANEL_ROWS> cursor_by_columns(
    const SharedTile<T, ROW_CHUNKS, PANEL_ROWS>& tile) {
  return {tile, lane_index() % 16, lane_index() / 16};
}

// The same in the order (upper left, upper right, lower left, lower right): fragments of K.
template <typename T, int ROW_CHUNKS, int PANEL_ROWS>
ATTUNE_FN TileCursor<T, ROW_CHUNKS, PANEL_ROWS> cursor_by_rows(
    const SharedTile<T, ROW_CHUNKS, PANEL_ROWS>& tile) {
  return {tile, lane_index() / 16 * 8 + lane_index() % 8, lane_index() / 8 % 2};
}

}  // namespace attune

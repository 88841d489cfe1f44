// Loading tiles by one warp: what tile/load.cuh does for a block, for warps that share nothing.
#pragma once

#include "tile/load.cuh"

namespace attune {

// Blocks of ROWS rows of COLUMNS elements of 16 bits, PADDED of them per row in shared memory, that the
// calling warp copies. A lane keeps its place in global memory and stays in its column of chunks, so that a
// pass takes as many whole rows as the warp has lanes for; the lanes left over do nothing.
template <int ROWS, int COLUMNS, int PADDED, typename T, int ROW_CHUNKS>
class WarpLoader {
 public:
  using Tile = SharedTile<T, ROW_CHUNKS>;

  // `data` is the first row of the first block, `aligned` whether every row starts on a boundary of 16 bytes.
  ATTUNE_FN WarpLoader(Global<const T> data, i64 stride, bool aligned)
      : place_(aligned ? data + (lane_row() * stride + lane_chunk() * kElements) : data),
        stride_(stride),
        aligned_(aligned) {}

  // Starts copying the block. Rows from `valid_rows` on and columns from COLUMNS on are written as zero and
  // never read. Commit is the caller's.
  ATTUNE_FN void load(const Tile& tile, int valid_rows) const {
    if (!aligned_) {
      copy_elements<ROWS, COLUMNS, PADDED, 32>(tile, place_, stride_, valid_rows, lane_index());
    } else if (kLanes < 32 && lane_index() >= kLanes) {
      return;
    } else if (valid_rows >= ROWS) {
      copy_chunks<true>(tile, valid_rows);
    } else {
      copy_chunks<false>(tile, valid_rows);
    }
  }
  // Goes on with the rows `rows` further down.
  ATTUNE_FN void move(int rows) { place_ = place_ + rows * stride_; }

 private:
  static constexpr int kElements = Tile::kChunkElements;
  static constexpr int kChunks = PADDED / kElements;  // of a row
  static constexpr int kPassRows = 32 / kChunks;
  static constexpr int kLanes = kPassRows * kChunks;
  static_assert(kPassRows > 0, "a warp takes whole rows");
  // A cursor steps by rows that have no bit in common with any lane's own.
  static constexpr bool kByCursor = (kPassRows & (kPassRows - 1)) == 0;

  ATTUNE_FN static int lane_row() { return lane_index() / kChunks; }
  ATTUNE_FN static int lane_chunk() { return lane_index() % kChunks; }

  // 16 bytes at a time. EVERY_ROW: there are no rows to be left out.
  template <bool EVERY_ROW>
  ATTUNE_FN void copy_chunks(const Tile& tile, int valid_rows) const {
    const TileCursor<T, ROW_CHUNKS> cursor(tile, lane_row(), lane_chunk());
    Global<const T> from = place_;
    const i64 pass_stride = kPassRows * stride_;
    ATTUNE_UNROLL
    for (int first = 0; first < ROWS; first += kPassRows) {
      const int row = first + lane_row();
      if (ROWS % kPassRows != 0 && row >= ROWS) break;
      const Shared<T> to = kByCursor ? cursor.at(first, 0) : tile.chunk(row, lane_chunk());
      copy_chunk<COLUMNS, PADDED, EVERY_ROW>(to, from, row, lane_chunk(), valid_rows);
      from = from + pass_stride;
    }
  }

  Global<const T> place_;
  i64 stride_;  // elements from row to row
  bool aligned_;
};

}  // namespace attune

// Loading tiles: rows of global memory to rows of shared memory, asynchronously where they are aligned.
#pragma once

#include "tile/shared_tile.cuh"

namespace attune {

// Has the 16 bytes copied of chunk `chunk` of row `row`; what of it lies beyond COLUMNS, or in a row from
// `valid_rows` on, is written as zero. EVERY_ROW: there are no rows to be left out.
template <int COLUMNS, int PADDED, bool EVERY_ROW, typename T>
ATTUNE_FN void copy_chunk(const Shared<T>& to, const Global<const T>& from, int row, int chunk,
                          int valid_rows) {
  if constexpr (EVERY_ROW && COLUMNS == PADDED) {
    copy_async16(to, from);
  } else {
    int bytes = EVERY_ROW || row < valid_rows ? 16 : 0;
    if constexpr (COLUMNS < PADDED) {
      const int left = COLUMNS * static_cast<int>(sizeof(T)) - 16 * chunk;
      if (left < bytes) bytes = left > 0 ? left : 0;
    }
    copy_async16(to, from, bytes);
  }
}

// Copies a block element by element, for rows that start anywhere: elements `first`, `first` + STEP and so
// on.
template <int ROWS, int COLUMNS, int PADDED, int STEP, typename T, typename Tile>
ATTUNE_FN void copy_elements(const Tile& tile, const Global<const T>& from, i64 stride, int valid_rows,
                             int first) {
  constexpr int kElements = Tile::kChunkElements;
  ATTUNE_NO_UNROLL
  for (int i = first; i < ROWS * PADDED; i += STEP) {
    const int row = i / PADDED;
    const int column = i % PADDED;
    const bool valid = row < valid_rows && column < COLUMNS;
    const T value = valid ? from.load(row * stride + column) : T{};
    tile.chunk(row, column / kElements).store(column % kElements, value);
  }
}

// Blocks of ROWS rows of COLUMNS elements, PADDED of them per row in shared memory, that all THREADS threads
// of the block copy together. Each thread keeps its place in global memory, so that stepping from block to
// block is one addition.
template <int ROWS, int COLUMNS, int PADDED, int THREADS, typename T, int ROW_CHUNKS, int PANEL_ROWS = 0>
class TileLoader {
 public:
  using Tile = SharedTile<T, ROW_CHUNKS, PANEL_ROWS>;

  // `data` is the first row of the first block, `aligned` whether every row starts on a boundary of 16 bytes.
  ATTUNE_FN TileLoader(Global<const T> data, i64 stride, bool aligned)
      : place_(aligned ? data + (first_row() * stride + first_column() * kElements) : data),
        stride_(stride),
        aligned_(aligned) {}

  // Starts copying the block. Rows from `valid_rows` on and columns from COLUMNS on are written as zero and
  // never read. Commit is the caller's.
  ATTUNE_FN void load(const Tile& tile, int valid_rows) const {
    if (!aligned_) {
      copy_elements<ROWS, COLUMNS, PADDED, THREADS>(tile, place_, stride_, valid_rows, thread_index());
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
  static constexpr int kChunks = PADDED / kElements;           // of a row
  static constexpr bool kSameColumn = THREADS % kChunks == 0;  // a thread stays in its column and walks down

  ATTUNE_FN static int first_row() { return thread_index() / kChunks; }
  ATTUNE_FN static int first_column() { return thread_index() % kChunks; }

  // 16 bytes at a time. EVERY_ROW: there are no rows to be left out.
  template <bool EVERY_ROW>
  ATTUNE_FN void copy_chunks(const Tile& tile, int valid_rows) const {
    constexpr int kTotal = ROWS * kChunks;
    const TileCursor<T, ROW_CHUNKS, PANEL_ROWS> cursor(tile, first_row(), first_column());
    const i64 pass_stride = THREADS / kChunks * stride_;
    Global<const T> from = place_;
    ATTUNE_UNROLL
    for (int i = 0; i < kTotal; i += THREADS) {
      const int chunk = i + thread_index();
      if (kTotal % THREADS != 0 && chunk >= kTotal) break;
      const int row = kSameColumn ? i / kChunks + first_row() : chunk / kChunks;
      const int column = kSameColumn ? first_column() : chunk % kChunks;
      if constexpr (!kSameColumn)
        from = place_ + ((row - first_row()) * stride_ + (column - first_column()) * kElements);
      const Shared<T> to = kSameColumn ? cursor.at(i / kChunks, 0) : tile.chunk(row, column);
      copy_chunk<COLUMNS, PADDED, EVERY_ROW>(to, from, row, column, valid_rows);
      if constexpr (kSameColumn) from = from + pass_stride;
    }
  }

  Global<const T> place_;
  i64 stride_;  // elements from row to row
  bool aligned_;
};

}  // namespace attune

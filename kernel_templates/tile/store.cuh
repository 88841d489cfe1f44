// Storing a tile: a warp's rows of shared memory to rows of global memory.
#pragma once

#include "tile/shared_tile.cuh"

namespace attune {

// Rows of COLUMNS elements that one warp writes from ROWS rows of shared memory, which it wrote itself.
template <int ROWS, int COLUMNS, typename T, int ROW_CHUNKS>
class RowStore {
 public:
  using Tile = SharedTile<T, ROW_CHUNKS>;

  // Rows from `valid_rows` on are not written. `aligned`: every row of the destination starts on a boundary
  // of 16 bytes.
  template <int PANEL_ROWS>
  ATTUNE_FN static void run(Global<T> destination, i64 stride, bool aligned,
                            const SharedTile<T, ROW_CHUNKS, PANEL_ROWS>& source, int valid_rows) {
    warp_barrier();
    if (!aligned) {
      store_elements(destination, stride, source, valid_rows, 0);
      return;
    }
    if constexpr (kWholeChunks > 0) {
      if (valid_rows >= ROWS) {
        store_chunks<true>(destination, stride, source, valid_rows);
      } else {
        store_chunks<false>(destination, stride, source, valid_rows);
      }
    }
    if constexpr (COLUMNS % kElements != 0)
      store_elements(destination, stride, source, valid_rows, kWholeChunks * kElements);
  }

 private:
  static constexpr int kElements = Tile::kChunkElements;
  static constexpr int kWholeChunks = COLUMNS / kElements;  // of a row

  // Several chunks are read before the first is written, so that their latencies overlap. EVERY_ROW: there
  // are no rows to be left out, and nothing branches.
  template <bool EVERY_ROW, int CHUNKS = kWholeChunks, int PANEL_ROWS>
  ATTUNE_FN static void store_chunks(Global<T> destination, i64 stride,
                                     const SharedTile<T, ROW_CHUNKS, PANEL_ROWS>& source, int valid_rows) {
    constexpr int kBatch = 8;
    constexpr int kTotal = ROWS * CHUNKS;
    ATTUNE_NO_UNROLL
    for (int first = lane_index(); first < kTotal; first += 32 * kBatch) {
      Bytes16 chunk[kBatch];
      ATTUNE_UNROLL
      for (int i = 0; i < kBatch; ++i) {
        const int at = first + 32 * i;
        if (kTotal % (32 * kBatch) == 0 || at < kTotal)
          chunk[i] = source.chunk(at / CHUNKS, at % CHUNKS).load16(0);
      }
      ATTUNE_UNROLL
      for (int i = 0; i < kBatch; ++i) {
        const int at = first + 32 * i;
        const bool exists = kTotal % (32 * kBatch) == 0 || at < kTotal;
        if (exists && (EVERY_ROW || at / CHUNKS < valid_rows))
          destination.store16(at / CHUNKS * stride + at % CHUNKS * kElements, chunk[i]);
      }
    }
  }

  // One by one, from `first_column` on.
  template <int PANEL_ROWS>
  ATTUNE_FN static void store_elements(Global<T> destination, i64 stride,
                                       const SharedTile<T, ROW_CHUNKS, PANEL_ROWS>& source, int valid_rows,
                                       int first_column) {
    const int columns = COLUMNS - first_column;
    ATTUNE_NO_UNROLL
    for (int i = lane_index(); i < ROWS * columns; i += 32) {
      const int row = i / columns;
      const int column = first_column + i % columns;
      if (row >= valid_rows) break;
      destination.store(row * stride + column,
                        source.chunk(row, column / kElements).load(column % kElements));
    }
  }
};

}  // namespace attune

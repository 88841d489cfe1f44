// Packed rows: the query heads that share a kv head, and all their queries, as rows of one matrix, so that
// keys and values are read once for all of them. Row r is query r / heads of head r % heads of the group.
#pragma once

#include "attention/flash_tensor.h"
#include "isa/isa.cuh"

namespace attune {

// Rows of a tile, of one kv head of one sequence.
struct PackedRows {
  int first;       // row of the tile, in the matrix
  int count;       // rows of the tile that are there
  int heads;       // of the group
  int first_head;  // of the group, among the query heads
  int batch;

  ATTUNE_FN int query(int row) const { return (first + row) / heads; }
  ATTUNE_FN int head(int row) const { return first_head + (first + row) % heads; }
  // From element 0 of `tensor` to element 0 of one of the tile's rows.
  ATTUNE_FN i64 offset(const FlashTensor& tensor, int row) const {
    return batch * tensor.batch_stride + head(row) * tensor.head_stride + query(row) * tensor.row_stride;
  }
};

// Starts copying the tile, all threads together; commit is the caller's. Rows that are not there and columns
// from COLUMNS on are written as zero.
template <int ROWS, int COLUMNS, int PADDED, int THREADS, typename Tile, typename T>
ATTUNE_FN void load_packed_rows(const Tile& tile, const FlashTensor& tensor, const PackedRows& rows,
                                bool aligned, T) {
  constexpr int kElements = Tile::kChunkElements;
  constexpr int kChunks = PADDED / kElements;
  const Global<const T> data(static_cast<const T*>(tensor.data));
  ATTUNE_NO_UNROLL
  for (int i = thread_index(); i < ROWS * kChunks; i += THREADS) {
    const int row = i / kChunks, column = i % kChunks * kElements;
    const bool is_there = row < rows.count;
    const Global<const T> source = data + (rows.offset(tensor, is_there ? row : 0) + column);
    const Shared<T> to = tile.chunk(row, i % kChunks);
    const int left = is_there ? COLUMNS - column : 0;  // elements of the row from here on
    if (aligned) {
      const int there = left < kElements ? left : kElements;
      copy_async16(to, source, there > 0 ? there * static_cast<int>(sizeof(T)) : 0);
    } else {
      for (int e = 0; e < kElements; ++e)
        to.store(e, e < left ? source.load(e) : T{});
    }
  }
}

// Where the keys end that rows of a warp's M fragments see, and where those of the tile's first row do:
// earlier keys are seen by all.
template <int M>
struct VisibleKeys {
  int end[2 * M];
  int first_end;

  // `keys`: that any row sees. CAUSAL: query i sees keys 0 to i + diagonal.
  template <bool CAUSAL>
  ATTUNE_FN static VisibleKeys of(const PackedRows& rows, int keys, int diagonal) {
    VisibleKeys visible;
    visible.first_end = end_of<CAUSAL>(rows, 0, keys, diagonal);
    ATTUNE_UNROLL
    for (int i = 0; i < 2 * M; ++i)
      visible.end[i] = end_of<CAUSAL>(rows, 8 * i + lane_index() / 4, keys, diagonal);
    return visible;
  }

  // Sets the scores of unseen keys to -infinity; the fragment map is that of multiply_tiles.
  template <typename Real, int N>
  ATTUNE_FN void apply(Real (&score)[M][N][4], int first_key) const {
    if (first_key + 8 * N <= first_end) return;
    ATTUNE_UNROLL
    for (int i = 0; i < 2 * M; ++i) {
      const int left = end[i] - first_key - 2 * (lane_index() % 4);
      ATTUNE_UNROLL
      for (int n = 0; n < N; ++n) {
        if (8 * n >= left) score[i / 2][n][2 * (i % 2)] = -infinity();
        if (8 * n + 1 >= left) score[i / 2][n][2 * (i % 2) + 1] = -infinity();
      }
    }
  }

 private:
  template <bool CAUSAL>
  ATTUNE_FN static int end_of(const PackedRows& rows, int row, int keys, int diagonal) {
    if constexpr (!CAUSAL) return keys;
    const int end = rows.query(row) + 1 + diagonal;
    return end < keys ? end : keys;
  }
};

}  // namespace attune

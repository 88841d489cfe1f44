// Storing a fragment: a warp's rows of an accumulator straight to rows of global memory.
#pragma once

#include "tile/products_warpgroup.cuh"

namespace attune {

// Lanes whose places in their quad differ by STEP trade the words whose indices do.
template <int STEP>
ATTUNE_FN void trade_words(u32 (&word)[4]) {
  const int lane = lane_index() % 4;
  const bool upper = (lane & STEP) != 0;
  u32 given[2], taken[2];
  ATTUNE_UNROLL
  for (int i = 0; i < 2; ++i)
    given[i] = upper ? word[3 * i - i * STEP] : word[3 * i - i * STEP + STEP];
  quad_broadcast(taken, given, lane ^ STEP);
  ATTUNE_UNROLL
  for (int i = 0; i < 2; ++i) {
    const int low = 3 * i - i * STEP;
    word[low] = upper ? taken[i] : word[low];
    word[low + STEP] = upper ? word[low + STEP] : taken[i];
  }
}
// Word `lane` of each lane of the quad, in the order of the lanes: a transpose.
ATTUNE_FN void transpose_in_quad(u32 (&word)[4]) {
  trade_words<1>(word);
  trade_words<2>(word);
}

// Writes the first COLUMNS columns of a warp's 16 rows, each row times its factor. A lane has pairs of
// columns; by trading them within the quad it gets 16 bytes of a row, so that they need not pass through
// shared memory. Rows from `valid_rows` on are not written; all start on boundaries of 16 bytes.
template <int COLUMNS, typename T, int DIM>
ATTUNE_FN void store_rows(const WarpgroupSum<DIM>& sum, const float (&factor)[2], Global<T> destination,
                          i64 stride, int valid_rows) {
  static_assert(COLUMNS % 8 == 0 && COLUMNS <= DIM, "a lane writes eight columns or none");
  constexpr int kTiles = COLUMNS / 8;
  const int lane = lane_index();
  ATTUNE_UNROLL
  for (int half = 0; half < 2; ++half) {
    const int row = 8 * half + lane / 4;
    const Global<T> place = destination + (row * stride + 8 * (lane % 4));
    ATTUNE_UNROLL
    for (int n = 0; n < kTiles; n += 4) {
      Bytes16 bytes{};
      ATTUNE_UNROLL
      for (int i = 0; i < 4; ++i) {
        if (n + i >= kTiles) continue;  // of the last four tiles, those that are not there
        const float(&tile)[4] = sum.value[n + i];
        bytes.word[i] = pack_pair<T>(tile[2 * half] * factor[half], tile[2 * half + 1] * factor[half]);
      }
      transpose_in_quad(bytes.word);
      const bool is_there = n + 4 <= kTiles || lane % 4 < kTiles - n;
      if (is_there && row < valid_rows) place.store16(8 * n, bytes);
    }
  }
}

}  // namespace attune

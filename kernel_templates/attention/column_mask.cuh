// The mask where rows of a block are keys and columns are queries (attention/mask.cuh has it the other way
// round): key j is seen by queries j - diagonal and later. Rows and columns beyond the ends need no mask:
// what they give is zero by the terms and the data of rows that are not there, or is not stored.
#pragma once

#include "isa/isa.cuh"

namespace attune {

// First of the blocks of BLOCK_ROWS query rows, counted from row 0, that see a key from `first_key` on.
template <int BLOCK_ROWS, bool CAUSAL>
ATTUNE_FN int first_seeing_block(int first_key, int diagonal) {
  const int first_row = CAUSAL ? first_key - diagonal : 0;
  return first_row > 0 ? first_row / BLOCK_ROWS : 0;
}

// Sets the scores of unseen keys to -infinity. `warp_key` is the key of the warp's first fragment, which has
// M fragments of 16 keys.
template <typename Real, int M, int N>
ATTUNE_FN void apply_column_mask(Real (&score)[M][N][4], int warp_key, int first_row, int diagonal) {
  if (first_row >= warp_key + 16 * M - 1 - diagonal) return;  // the first query sees the last key
  const int lane = lane_index();
  ATTUNE_UNROLL
  for (int m = 0; m < M; ++m) {
    ATTUNE_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int first_seeing = warp_key + 16 * m + 8 * half + lane / 4 - diagonal;
      const int begin = first_seeing - first_row - 2 * (lane % 4);
      ATTUNE_UNROLL
      for (int n = 0; n < N; ++n) {
        if (8 * n < begin) score[m][n][2 * half] = -infinity();
        if (8 * n + 1 < begin) score[m][n][2 * half + 1] = -infinity();
      }
    }
  }
}

}  // namespace attune

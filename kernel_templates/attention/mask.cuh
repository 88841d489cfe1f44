// The mask: which keys a query row may see. Only blocks at a boundary are masked; the others are seen whole.
// Causal: row i sees keys 0 to i + diagonal, where diagonal is seqlen_kv - seqlen_q when the mask is aligned
// to the bottom right and 0 when it is aligned to the top left.
#pragma once

#include "isa/isa.cuh"

namespace attune {

// True when some row of the tile must not see some key of the block.
template <int BLOCK_KEYS, bool CAUSAL>
ATTUNE_FN bool block_needs_mask(int first_row, int first_key, int seqlen_kv, int diagonal) {
  const int end_key = first_key + BLOCK_KEYS;
  if (end_key > seqlen_kv) return true;
  return CAUSAL && end_key - 1 > first_row + diagonal;
}

// Sets the scores of unseen keys to -infinity. `warp_row` is the row of the warp's first fragment; the
// fragment map is that of multiply_tiles.
template <bool CAUSAL, typename Real, int M, int N>
ATTUNE_FN void apply_mask(Real (&score)[M][N][4], int warp_row, int first_key, int seqlen_kv, int diagonal) {
  const int lane = lane_index();
  ATTUNE_UNROLL
  for (int m = 0; m < M; ++m) {
    ATTUNE_UNROLL
    for (int half = 0; half < 2; ++half) {
      int end_key = seqlen_kv;
      if constexpr (CAUSAL) {
        const int end_causal = warp_row + 16 * m + 8 * half + lane / 4 + 1 + diagonal;
        if (end_causal < end_key) end_key = end_causal;
      }
      const int end = end_key - first_key - 2 * (lane % 4);
      ATTUNE_UNROLL
      for (int n = 0; n < N; ++n) {
        if (8 * n >= end) score[m][n][2 * half] = -infinity();
        if (8 * n + 1 >= end) score[m][n][2 * half + 1] = -infinity();
      }
    }
  }
}

}  // namespace attune

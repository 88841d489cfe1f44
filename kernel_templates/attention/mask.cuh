// The mask: which keys a query row may see. Only blocks at a boundary are masked; the others are seen whole.
#pragma once

#include "isa/isa.cuh"

namespace attune {

// True when some row of the tile must not see some key of the block.
template <int BLOCK_KEYS, bool CAUSAL>
ATTUNE_FN bool block_needs_mask(int first_row, int first_key, int seqlen_q, int seqlen_kv) {
  const int end_key = first_key + BLOCK_KEYS;
  if (end_key > seqlen_kv) return true;
  // Bottom-right aligned: row i sees keys 0 to i + seqlen_kv - seqlen_q.
  return CAUSAL && end_key - 1 > first_row + seqlen_kv - seqlen_q;
}

// Sets the scores of unseen keys to -infinity. `warp_row` is the row of the warp's first fragment; the
// fragment map is that of multiply_tiles.
template <bool CAUSAL, int M, int N>
ATTUNE_FN void apply_mask(float (&score)[M][N][4], int warp_row, int first_key, int seqlen_q, int seqlen_kv) {
  const int lane = lane_index();
  ATTUNE_UNROLL
  for (int m = 0; m < M; ++m) {
    ATTUNE_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int row = warp_row + 16 * m + 8 * half + lane / 4;
      int end_key = seqlen_kv;
      if constexpr (CAUSAL) {
        const int end_causal = row + 1 + seqlen_kv - seqlen_q;
        if (end_causal < end_key) end_key = end_causal;
      }
      ATTUNE_UNROLL
      for (int n = 0; n < N; ++n) {
        const int key = first_key + 8 * n + 2 * (lane % 4);
        if (key >= end_key) score[m][n][2 * half] = -infinity();
        if (key + 1 >= end_key) score[m][n][2 * half + 1] = -infinity();
      }
    }
  }
}

}  // namespace attune

// Row maxima at half the cost: scores compared as integers, of which sm_90 takes three at a time.
//
// Floats with a positive sign are ordered as their bits are, and every other float is a negative integer. So
// the integer maximum with 0 is the largest score if that is positive, and 0 tells that none is. Among many
// keys one nearly always is; where it is not, rows are compared as floats.
#pragma once

#include "attention/softmax.cuh"

namespace attune {

ATTUNE_FN int larger(int a, int b) {
  return a > b ? a : b;
}

// Of each of a thread's two rows the largest score if that is positive, else 0.
template <int N>
ATTUNE_FN void largest_positive(const float (&score)[1][N][4], float (&largest)[2]) {
  ATTUNE_UNROLL
  for (int i = 0; i < 2; ++i) {
    int bits[2] = {0, 0};  // two chains: each waits only for itself
    ATTUNE_UNROLL
    for (int n = 0; n < N; ++n) {
      int& chain = bits[n % 2];
      ATTUNE_UNROLL
      for (int e = 0; e < 2; ++e)
        chain = larger(chain, static_cast<int>(bits_of(score[0][n][2 * i + e])));
    }
    largest[i] = float_of(static_cast<u32>(larger(bits[0], bits[1])));
  }
  quad_maximum(largest);
}

// What raise_maximum does, for scale_log2 > 0.
template <int N>
ATTUNE_FN bool raise_positive_maximum(const float (&score)[1][N][4], RowStatistics<float, 1>& rows,
                                      float (&correction)[2], float scale_log2) {
  float largest[2];
  largest_positive(score, largest);
  bool exceeds = false, unknown = false;
  ATTUNE_UNROLL
  for (int i = 0; i < 2; ++i) {
    exceeds |= (largest[i] - rows.maximum[i]) * scale_log2 > kSlack;
    unknown |= largest[i] == 0 && rows.maximum[i] < 0;
  }
  // Where 0 does not exceed a negative maximum by enough, nothing below it does.
  if (!warp_any(exceeds)) return false;
  if (warp_any(unknown)) return raise_maximum(score, rows, correction, scale_log2);
  follow<float, 1>(largest, rows, correction, scale_log2);
  return true;
}

}  // namespace attune

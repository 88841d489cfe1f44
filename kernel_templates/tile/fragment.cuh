// Accumulator fragments: M x N tiles of 16 x 8, in the map of multiply_tiles.
#pragma once

#include "isa/isa.cuh"

namespace attune {

template <typename Real, int M, int N>
ATTUNE_FN void clear(Real (&fragment)[M][N][4]) {
  ATTUNE_UNROLL
  for (int m = 0; m < M; ++m) {
    ATTUNE_UNROLL
    for (int n = 0; n < N; ++n) {
      ATTUNE_UNROLL
      for (int e = 0; e < 4; ++e)
        fragment[m][n][e] = 0;
    }
  }
}

}  // namespace attune

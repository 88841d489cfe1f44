// The online softmax: a running maximum and sum per row, so that scores are exponentiated once and never
// stored.
#pragma once

#include "isa/isa.cuh"

namespace attune {

// A thread holds two rows of each of its M row fragments: index 2·m for row lane / 4, 2·m + 1 for the row
// eight below. Real is float, double for f64.
template <typename Real, int M>
struct RowStatistics {
  Real maximum[2 * M];  // what exponents are taken relative to, unscaled; the same in the four lanes of a row
  Real sum[2 * M];      // of the exponentials this lane has seen
};

template <typename Real, int M>
ATTUNE_FN void clear(RowStatistics<Real, M>& rows) {
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * M; ++i) {
    rows.maximum[i] = -infinity();
    rows.sum[i] = 0;
  }
}

// What is subtracted from scale_log2 · score. A row that has seen no key yet has maximum -infinity; 0 in its
// place keeps -infinity - -infinity out.
// NOTE: rounded, since old exponentials are corrected by the difference of two of these: a fused product
// would be off by half an ulp of the offset, which shows for logits in the hundreds.
template <typename Real>
ATTUNE_FN Real offset_of(Real row_maximum, Real scale_log2) {
  return row_maximum == -infinity() ? Real(0) : rounded_product(row_maximum, scale_log2);
}

// Exponentials may exceed 1 by this many powers of two before the maximum follows: correcting the output is
// work, and growth beyond the first steps is rare. Powers of two cost no precision. Sums of values
// beyond 2^119 may overflow where an exact maximum would not let them.
constexpr float kSlack = 8;

// The maxima become those of the scores seen so far, of which `largest` are the new ones' per row.
template <typename Real, int M>
ATTUNE_FN void follow(const Real (&largest)[2 * M], RowStatistics<Real, M>& rows, Real (&correction)[2 * M],
                      Real scale_log2) {
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * M; ++i) {
    const Real larger = maximum(rows.maximum[i], largest[i]);
    correction[i] =
        exp2_approximate(rounded_product(rows.maximum[i], scale_log2) - offset_of(larger, scale_log2));
    rows.maximum[i] = larger;
    rows.sum[i] *= correction[i];
  }
}

// Lets the maxima follow these scores where they must. True (for the whole warp) when they moved: older
// outputs are then to be multiplied with `correction`, as the sums already are. scale_log2 = scale · log2(e)
// folds the base in.
template <typename Real, int M, int N>
ATTUNE_FN bool raise_maximum(const Real (&score)[M][N][4], RowStatistics<Real, M>& rows,
                             Real (&correction)[2 * M], Real scale_log2) {
  Real largest[2 * M];
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * M; ++i) {
    largest[i] = maximum(score[i / 2][0][2 * (i % 2)], score[i / 2][0][2 * (i % 2) + 1]);
    ATTUNE_UNROLL
    for (int n = 1; n < N; ++n) {
      largest[i] =
          maximum(largest[i], maximum(score[i / 2][n][2 * (i % 2)], score[i / 2][n][2 * (i % 2) + 1]));
    }
  }
  quad_maximum(largest);
  bool exceeds = false;
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * M; ++i)
    exceeds |= (largest[i] - rows.maximum[i]) * scale_log2 > kSlack;  // not for -infinity - -infinity, a NaN
  if (!warp_any(exceeds)) return false;
  follow<Real, M>(largest, rows, correction, scale_log2);
  return true;
}

// Turns the scores of tiles `first` to `first` + COUNT - 1 into unnormalised probabilities
// 2^(scale_log2 · score - offset) and adds them to the sums.
template <int COUNT, typename Real, int M, int N>
ATTUNE_FN void exponentiate(Real (&score)[M][N][4], int first, RowStatistics<Real, M>& rows,
                            const Real (&offset)[2 * M], Real scale_log2) {
  ATTUNE_UNROLL
  for (int n = first; n < first + COUNT; ++n) {
    ATTUNE_UNROLL
    for (int m = 0; m < M; ++m) {
      ATTUNE_UNROLL
      for (int e = 0; e < 4; ++e) {
        const int i = 2 * m + e / 2;
        score[m][n][e] = exp2_approximate(multiply_add(score[m][n][e], scale_log2, -offset[i]));
        rows.sum[i] += score[m][n][e];
      }
    }
  }
}

// Natural-log sum of exp of a row; -infinity for a row that saw no key. `sum` is complete (over the quad).
template <typename Real>
ATTUNE_FN Real log_sum_exp(Real row_maximum, Real sum, Real scale) {
  return sum == 0 ? -infinity() : multiply_add(row_maximum, scale, natural_log(sum));
}

}  // namespace attune

// The online softmax: a running maximum and sum per row, so that scores are exponentiated once and never
// stored.
#pragma once

#include "isa/isa.cuh"

namespace attune {

// A thread holds two rows of each of its M row fragments: index 2·m for row lane / 4, 2·m + 1 for the row
// eight below.
template <int M>
struct RowStatistics {
  float maximum[2 * M];  // of the unscaled scores so far, the same in the four lanes of a row
  float sum[2 * M];      // of the exponentials this lane has seen
};

template <int M>
ATTUNE_FN void clear(RowStatistics<M>& rows) {
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * M; ++i) {
    rows.maximum[i] = -infinity();
    rows.sum[i] = 0;
  }
}

// Turns scores into unnormalised probabilities exp(scale · (score - maximum)) and brings the statistics up to
// date. `correction` is what older sums and outputs are to be multiplied with. scale_log2 = scale · log2(e)
// folds the base in.
template <int M, int N>
ATTUNE_FN void exponentiate(float (&score)[M][N][4], RowStatistics<M>& rows, float (&correction)[2 * M],
                            float scale_log2) {
  float largest[2 * M];
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * M; ++i) {
    largest[i] = rows.maximum[i];
    ATTUNE_UNROLL
    for (int n = 0; n < N; ++n) {
      largest[i] =
          maximum(largest[i], maximum(score[i / 2][n][2 * (i % 2)], score[i / 2][n][2 * (i % 2) + 1]));
    }
  }
  quad_maximum(largest);
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * M; ++i) {
    // A row that has seen no key yet has maximum -infinity; 0 in its place keeps -infinity - -infinity out.
    const float offset = largest[i] == -infinity() ? 0.0f : rounded_product(largest[i], scale_log2);
    // NOTE: the product must be the rounded one that was the offset of the steps before. Fusing it with the
    // subtraction would correct by a factor that is off by half an ulp of the offset, which shows for logits
    // in the hundreds.
    correction[i] = exp2_approximate(rounded_product(rows.maximum[i], scale_log2) - offset);
    float sum = 0;
    ATTUNE_UNROLL
    for (int n = 0; n < N; ++n) {
      ATTUNE_UNROLL
      for (int e = 2 * (i % 2); e < 2 * (i % 2) + 2; ++e) {
        score[i / 2][n][e] = exp2_approximate(multiply_add(score[i / 2][n][e], scale_log2, -offset));
        sum += score[i / 2][n][e];
      }
    }
    rows.maximum[i] = largest[i];
    rows.sum[i] = multiply_add(rows.sum[i], correction[i], sum);
  }
}

// Natural-log sum of exp of a row; -infinity for a row that saw no key. `sum` is complete (over the quad).
ATTUNE_FN float log_sum_exp(float row_maximum, float sum, float scale) {
  return sum > 0 ? multiply_add(row_maximum, scale, natural_log(sum)) : -infinity();
}

}  // namespace attune

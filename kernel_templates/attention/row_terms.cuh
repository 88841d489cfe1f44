// P and dS of scores and row terms: P = 2^(scale_log2 · S - lse), dS = P ∘ (dP - delta), both unscaled.
// Known LSEs take the place of a running maximum: nothing is corrected afterwards. A score of -infinity, a
// masked pair, gives P = dS = 0 whatever the terms are, since no LSE is -infinity here.
#pragma once

#include "attention/row_terms.layout.h"
#include "isa/isa.cuh"

namespace attune {

// The terms of a row of `head_and_batch`, two numbers a row.
template <typename Real>
ATTUNE_FN Global<const Real> row_terms_of(const void* terms, int head_and_batch, int padded_rows, int row) {
  return Global<const Real>(static_cast<const Real*>(terms)) +
         2 * (static_cast<i64>(head_and_batch) * padded_rows + row);
}

// Starts copying the terms of ROWS rows; commit is the caller's.
template <int ROWS, int THREADS, typename Real>
ATTUNE_FN void load_row_terms(const Shared<Real>& terms, const Global<const Real>& source) {
  constexpr int kWidth = 16 / sizeof(Real);
  static_assert(2 * ROWS % kWidth == 0 && RowTermsLayout::kRowMultiple % ROWS == 0,
                "whole tiles of whole chunks");
  ATTUNE_NO_UNROLL
  for (int i = kWidth * thread_index(); i < 2 * ROWS; i += kWidth * THREADS)
    copy_async16(terms + i, source + i);
}

// Where rows of scores are query rows: index 2·m + half, as in RowStatistics.
template <typename Real, int M>
struct RowTerms {
  Real lse[2 * M];
  Real delta[2 * M];
};

template <typename Real, int M>
ATTUNE_FN void load_row_terms(RowTerms<Real, M>& terms, const Global<const Real>& warp_rows) {
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * M; ++i) {
    const int row = 8 * i + lane_index() / 4;
    terms.lse[i] = warp_rows.load(2 * row);
    terms.delta[i] = warp_rows.load(2 * row + 1);
  }
}

// `gradient` holds dP and becomes dS, for the tiles `first` to `first` + COUNT - 1.
template <int COUNT, typename Real, int M, int N>
ATTUNE_FN void differentiate_rows(const Real (&score)[M][N][4], Real (&gradient)[M][N][4], int first,
                                  const RowTerms<Real, M>& terms, Real scale_log2) {
  ATTUNE_UNROLL
  for (int n = first; n < first + COUNT; ++n) {
    ATTUNE_UNROLL
    for (int m = 0; m < M; ++m) {
      ATTUNE_UNROLL
      for (int e = 0; e < 4; ++e) {
        const int i = 2 * m + e / 2;
        const Real p = exp2_approximate(multiply_add(score[m][n][e], scale_log2, -terms.lse[i]));
        gradient[m][n][e] = p * (gradient[m][n][e] - terms.delta[i]);
      }
    }
  }
}

// The same in two steps, so that exponentials need not wait for dP: `score` becomes P, ...
template <typename Real, int M, int N>
ATTUNE_FN void exponentiate_rows(Real (&score)[M][N][4], const RowTerms<Real, M>& terms, Real scale_log2) {
  ATTUNE_UNROLL
  for (int n = 0; n < N; ++n) {
    ATTUNE_UNROLL
    for (int m = 0; m < M; ++m) {
      ATTUNE_UNROLL
      for (int e = 0; e < 4; ++e) {
        score[m][n][e] =
            exp2_approximate(multiply_add(score[m][n][e], scale_log2, -terms.lse[2 * m + e / 2]));
      }
    }
  }
}
// ... and then `gradient`, which holds dP, becomes dS.
template <typename Real, int M, int N>
ATTUNE_FN void multiply_rows(Real (&gradient)[M][N][4], const Real (&probability)[M][N][4],
                             const RowTerms<Real, M>& terms) {
  ATTUNE_UNROLL
  for (int n = 0; n < N; ++n) {
    ATTUNE_UNROLL
    for (int m = 0; m < M; ++m) {
      ATTUNE_UNROLL
      for (int e = 0; e < 4; ++e) {
        gradient[m][n][e] = probability[m][n][e] * (gradient[m][n][e] - terms.delta[2 * m + e / 2]);
      }
    }
  }
}

// The terms of two neighbouring columns.
template <typename Real>
struct alignas(16) TermsPair {
  Real lse0, delta0, lse1, delta1;
};
template <typename Real>
ATTUNE_FN TermsPair<Real> load_pair(const Shared<Real>& terms) {
  Bytes16 bytes[sizeof(TermsPair<Real>) / 16];
  ATTUNE_UNROLL
  for (int i = 0; i < static_cast<int>(sizeof(bytes) / 16); ++i)
    bytes[i] = terms.load16(i * static_cast<int>(16 / sizeof(Real)));
  return reinterpret_cast<const TermsPair<Real>&>(bytes);
}

// The same where columns are query rows, whose terms lie in shared memory: `score` becomes P and, where it is
// WANTED, `gradient` becomes dS.
template <int COUNT, bool WANTED, typename Real, int M, int N>
ATTUNE_FN void differentiate_columns(Real (&score)[M][N][4], Real (&gradient)[M][N][4], int first,
                                     const Shared<Real>& terms, Real scale_log2) {
  ATTUNE_UNROLL
  for (int n = first; n < first + COUNT; ++n) {
    const TermsPair<Real> pair = load_pair(terms + 2 * (8 * n + 2 * (lane_index() % 4)));
    ATTUNE_UNROLL
    for (int m = 0; m < M; ++m) {
      ATTUNE_UNROLL
      for (int e = 0; e < 4; ++e) {
        const Real lse = e % 2 == 0 ? pair.lse0 : pair.lse1;
        const Real delta = e % 2 == 0 ? pair.delta0 : pair.delta1;
        score[m][n][e] = exp2_approximate(multiply_add(score[m][n][e], scale_log2, -lse));
        if constexpr (WANTED) gradient[m][n][e] = score[m][n][e] * (gradient[m][n][e] - delta);
      }
    }
  }
}

// The same in two steps, so that a product with P can start before dP is there: `score` becomes P, ...
template <typename Real, int M, int N>
ATTUNE_FN void exponentiate_columns(Real (&score)[M][N][4], const Shared<Real>& terms, Real scale_log2) {
  ATTUNE_UNROLL
  for (int n = 0; n < N; ++n) {
    const TermsPair<Real> pair = load_pair(terms + 2 * (8 * n + 2 * (lane_index() % 4)));
    ATTUNE_UNROLL
    for (int m = 0; m < M; ++m) {
      ATTUNE_UNROLL
      for (int e = 0; e < 4; ++e) {
        const Real lse = e % 2 == 0 ? pair.lse0 : pair.lse1;
        score[m][n][e] = exp2_approximate(multiply_add(score[m][n][e], scale_log2, -lse));
      }
    }
  }
}
// ... and then `gradient`, which holds dP, becomes dS.
template <typename Real, int M, int N>
ATTUNE_FN void multiply_columns(Real (&gradient)[M][N][4], const Real (&probability)[M][N][4],
                                const Shared<Real>& terms) {
  ATTUNE_UNROLL
  for (int n = 0; n < N; ++n) {
    const TermsPair<Real> pair = load_pair(terms + 2 * (8 * n + 2 * (lane_index() % 4)));
    ATTUNE_UNROLL
    for (int m = 0; m < M; ++m) {
      ATTUNE_UNROLL
      for (int e = 0; e < 4; ++e) {
        const Real delta = e % 2 == 0 ? pair.delta0 : pair.delta1;
        gradient[m][n][e] = probability[m][n][e] * (gradient[m][n][e] - delta);
      }
    }
  }
}

}  // namespace attune

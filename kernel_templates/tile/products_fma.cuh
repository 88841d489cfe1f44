// The two products of attention for f32 and f64 elements, with ordinary fused multiply-adds: runs on every
// GPU.
//
// The same fragment maps as products_mma.cuh, with one exception: a thread's output columns lie side by side,
// 16 bytes of them, so that V is read and the output written 16 bytes at a time. Columns 4·W·j + W·(lane % 4)
// to + W - 1 of a row, for W elements in 16 bytes.
#pragma once

#include "tile/fragment.cuh"
#include "tile/query_rows.cuh"

namespace attune {

// Keys that one step of the second product takes, in tiles of 8.
constexpr int kProductTiles = 2;

template <typename T, int M, int DIM>
struct OutputFragment {
  static constexpr int kPanels = 1;
  T value[kPanels][M][DIM / 8][4];
};

// 16 bytes of elements.
template <typename T>
struct alignas(16) Vector {
  static constexpr int kWidth = 16 / sizeof(T);
  T value[kWidth];
};

template <typename T>
ATTUNE_FN Vector<T> load_vector(Shared<T> source) {
  const Bytes16 bytes = source.load16(0);
  return reinterpret_cast<const Vector<T>&>(bytes);
}

// score = Q · K^T over N tiles of 8 keys.
template <typename T, int M, int N, int DIM, int ROW_CHUNKS, bool IN_REGISTERS>
ATTUNE_FN void multiply_queries_keys(T (&score)[M][N][4],
                                     QueryFragment<T, M, DIM, ROW_CHUNKS, IN_REGISTERS>& query,
                                     const SharedTile<T, ROW_CHUNKS>& keys) {
  clear(score);
  const int lane = lane_index();
  for (int chunk = 0; chunk < DIM / Vector<T>::kWidth; ++chunk) {
    Vector<T> q[2 * M];
    ATTUNE_UNROLL
    for (int i = 0; i < 2 * M; ++i)
      q[i] = load_vector(query.rows.chunk(8 * i + lane / 4, chunk));
    ATTUNE_UNROLL
    for (int n = 0; n < N; ++n) {
      ATTUNE_UNROLL
      for (int e = 0; e < 2; ++e) {
        const Vector<T> key = load_vector(keys.chunk(8 * n + 2 * (lane % 4) + e, chunk));
        ATTUNE_UNROLL
        for (int i = 0; i < 2 * M; ++i) {
          ATTUNE_UNROLL
          for (int d = 0; d < Vector<T>::kWidth; ++d) {
            T& sum = score[i / 2][n][2 * (i % 2) + e];
            sum = multiply_add(q[i].value[d], key.value[d], sum);
          }
        }
      }
    }
  }
}

// output += P · V over the keys of probability tiles `first` and `first` + 1. A row's probabilities lie in
// the four lanes of a quad, which take turns to show them.
template <typename T, int M, int N, int DIM, int ROW_CHUNKS>
ATTUNE_FN void multiply_probabilities_values(OutputFragment<T, M, DIM>& output,
                                             const T (&probability)[M][N][4], int first,
                                             const SharedTile<T, ROW_CHUNKS>& values) {
  constexpr int kWidth = Vector<T>::kWidth;
  const int lane = lane_index();
  T own[M * kProductTiles * 4];
  ATTUNE_UNROLL
  for (int i = 0; i < M * kProductTiles * 4; ++i)
    own[i] = probability[i / (kProductTiles * 4)][first + i / 4 % kProductTiles][i % 4];
  for (int source = 0; source < 4; ++source) {
    T shown[M * kProductTiles * 4];
    quad_broadcast(shown, own, source);
    ATTUNE_UNROLL
    for (int n = 0; n < kProductTiles; ++n) {
      ATTUNE_UNROLL
      for (int e = 0; e < 2; ++e) {
        const int key = 8 * (first + n) + 2 * source + e;
        ATTUNE_UNROLL
        for (int j = 0; j < DIM / (4 * kWidth); ++j) {
          const Vector<T> v = load_vector(values.chunk(key, 4 * j + lane % 4));
          ATTUNE_UNROLL
          for (int i = 0; i < 2 * M; ++i) {
            const T p = shown[(i / 2 * kProductTiles + n) * 4 + 2 * (i % 2) + e];
            ATTUNE_UNROLL
            for (int d = 0; d < kWidth; ++d) {
              T& sum = output.value[0][i / 2][kWidth / 2 * j + d / 2][2 * (i % 2) + d % 2];
              sum = multiply_add(p, v.value[d], sum);
            }
          }
        }
      }
    }
  }
}

// Writes the warp's output rows, each times its factor, to `staging`.
template <typename T, int M, int DIM, int ROW_CHUNKS>
ATTUNE_FN void stage_output(const SharedTile<T, ROW_CHUNKS>& staging, const OutputFragment<T, M, DIM>& output,
                            const T (&factor)[2 * M]) {
  constexpr int kWidth = Vector<T>::kWidth;
  const int lane = lane_index();
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * M; ++i) {
    ATTUNE_UNROLL
    for (int j = 0; j < DIM / (4 * kWidth); ++j) {
      Vector<T> vector;
      ATTUNE_UNROLL
      for (int d = 0; d < kWidth; ++d) {
        vector.value[d] = output.value[0][i / 2][kWidth / 2 * j + d / 2][2 * (i % 2) + d % 2] * factor[i];
      }
      staging.chunk(8 * i + lane / 4, 4 * j + lane % 4).store16(0, reinterpret_cast<const Bytes16&>(vector));
    }
  }
}

}  // namespace attune

// The two products of attention for f32 elements, with ordinary fused multiply-adds: runs on every GPU.
//
// The same fragment maps as products_mma.cuh, with one exception: output tiles 2j and 2j + 1 hold columns 16j
// + 4·(lane % 4) to + 3 of a row, so that V is read and the output written 16 bytes at a time.
#pragma once

#include "isa/isa.cuh"
#include "tile/fragment.cuh"

namespace attune {

template <int M, int PADDED_DIM>
struct OutputFragment {
  float value[1][M][PADDED_DIM / 8][4];
};

// Q stays in shared memory: in registers it would not fit beside the output.
template <typename T, int M, int PADDED_DIM, bool IN_REGISTERS>
struct QueryFragment {
  static_assert(!IN_REGISTERS, "Q_IN_REGISTERS is for 16-bit elements");
  Shared<T> rows;
  int row_stride;

  ATTUNE_FN QueryFragment(Shared<T> warp_rows, int stride) : rows(warp_rows), row_stride(stride) {}
  ATTUNE_FN void fetch() {}
};

struct Four {
  float value[4];
};

ATTUNE_FN Four load_four(Shared<float> source, int index) {
  const Bytes16 bytes = source.load16(index);
  return reinterpret_cast<const Four&>(bytes);
}

// score = Q · K^T over N tiles of 8 keys.
template <typename T, int M, int N, int PADDED_DIM, bool IN_REGISTERS>
ATTUNE_FN void multiply_queries_keys(float (&score)[M][N][4],
                                     QueryFragment<T, M, PADDED_DIM, IN_REGISTERS>& query, Shared<T> keys,
                                     int row_stride) {
  clear(score);
  const int lane = lane_index();
  for (int k = 0; k < PADDED_DIM; k += 4) {
    Four q[2 * M];
    ATTUNE_UNROLL
    for (int i = 0; i < 2 * M; ++i)
      q[i] = load_four(query.rows, (8 * i + lane / 4) * query.row_stride + k);
    ATTUNE_UNROLL
    for (int n = 0; n < N; ++n) {
      ATTUNE_UNROLL
      for (int e = 0; e < 2; ++e) {
        const Four key = load_four(keys, (8 * n + 2 * (lane % 4) + e) * row_stride + k);
        ATTUNE_UNROLL
        for (int i = 0; i < 2 * M; ++i) {
          ATTUNE_UNROLL
          for (int d = 0; d < 4; ++d) {
            float& sum = score[i / 2][n][2 * (i % 2) + e];
            sum = multiply_add(q[i].value[d], key.value[d], sum);
          }
        }
      }
    }
  }
}

// output += P · V over N tiles of 8 keys. A row's probabilities lie in the four lanes of a quad, which take
// turns to show them.
template <typename T, int M, int N, int PADDED_DIM>
ATTUNE_FN void multiply_probabilities_values(OutputFragment<M, PADDED_DIM>& output,
                                             float (&probability)[M][N][4], Shared<T> values,
                                             int row_stride) {
  const int lane = lane_index();
  for (int source = 0; source < 4; ++source) {
    float shown[M * N * 4];
    quad_broadcast(shown, reinterpret_cast<float(&)[M * N * 4]>(probability), source);
    ATTUNE_UNROLL
    for (int n = 0; n < N; ++n) {
      ATTUNE_UNROLL
      for (int e = 0; e < 2; ++e) {
        const int key = 8 * n + 2 * source + e;
        ATTUNE_UNROLL
        for (int j = 0; j < PADDED_DIM / 16; ++j) {
          const Four v = load_four(values, key * row_stride + 16 * j + 4 * (lane % 4));
          ATTUNE_UNROLL
          for (int i = 0; i < 2 * M; ++i) {
            const float p = shown[(i / 2 * N + n) * 4 + 2 * (i % 2) + e];
            ATTUNE_UNROLL
            for (int d = 0; d < 4; ++d) {
              float& sum = output.value[0][i / 2][2 * j + d / 2][2 * (i % 2) + d % 2];
              sum = multiply_add(p, v.value[d], sum);
            }
          }
        }
      }
    }
  }
}

// Writes the warp's output rows, each times its factor, to global memory. Rows from `valid_rows` on and
// columns from COLUMNS on are not written. The staging rows are for 16-bit elements; f32 is stored 16 bytes
// at a time from registers.
template <int COLUMNS, typename T, int M, int PADDED_DIM>
ATTUNE_FN void store_output(Global<T> destination, i64 destination_stride,
                            const OutputFragment<M, PADDED_DIM>& output, const float (&factor)[2 * M],
                            Shared<T>, int, int valid_rows) {
  const int lane = lane_index();
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * M; ++i) {
    const int row = 8 * i + lane / 4;
    ATTUNE_UNROLL
    for (int j = 0; j < PADDED_DIM / 16; ++j) {
      const int column = 16 * j + 4 * (lane % 4);
      Four four;
      ATTUNE_UNROLL
      for (int d = 0; d < 4; ++d) {
        four.value[d] = output.value[0][i / 2][2 * j + d / 2][2 * (i % 2) + d % 2] * factor[i];
      }
      if (row < valid_rows && column < COLUMNS) {
        destination.store16(row * destination_stride + column, reinterpret_cast<const Bytes16&>(four));
      }
    }
  }
}

}  // namespace attune

// The two products of attention for f32 elements on tensor cores, as accurate as by ordinary multiply-adds.
//
// Tensor cores take TF32, 11 significant bits. An f32 number is a `high` and a `low` TF32 number and a rest
// of 2^-23 of it, so that x · y = high · high + high · low + low · high but for about as much as f32 rounds.
// Their sums round toward zero, which adds up over thousands of terms: 16 terms at a time are summed there,
// from nothing, and added to the sum by an ordinary addition.
//
// Which of a step's terms comes first does not matter to a sum, as long as both operands agree. So a lane
// takes 16 bytes of a row, four neighbouring columns, where the tensor core's map has it take columns 4
// apart. Scores have the map of products_mma.cuh. Output columns have one of their own, so that V is read 16
// bytes at a time, too: element e of a lane in tile 4·g + t is column 32·g + 4·(2·(lane % 4) + e % 2) + t.
#pragma once

#include "tile/fragment.cuh"
#include "tile/query_rows.cuh"

namespace attune {

// Keys that one step of the second product takes, in tiles of 8.
constexpr int kProductTiles = 2;
constexpr int kGroupColumns = 32;  // of four output tiles

template <typename T, int M, int DIM>
struct OutputFragment {
  static_assert(DIM % kGroupColumns == 0, "output columns come in groups of four tiles");
  static constexpr int kPanels = 1;
  T value[kPanels][M][DIM / 8][4];
};

// Four neighbouring columns of a row.
struct alignas(16) Columns4 {
  float value[4];
};
ATTUNE_FN Columns4 load_columns(Shared<float> source) {
  const Bytes16 bytes = source.load16(0);
  return reinterpret_cast<const Columns4&>(bytes);
}

// An operand of multiply_tiles<tf32>, in its two parts.
template <int COUNT>
struct SplitOperand {
  u32 high[COUNT][4];
  u32 low[COUNT][4];

  ATTUNE_FN void set(int i, int word, float value) {
    high[i][word] = tf32_of(value);
    low[i][word] = bits_of(value - float_of(high[i][word]));  // of 12 bits at most, tensor cores read 11
  }
};

// partial += A · B over one k-step of 8, the smallest products first.
template <int M, int N>
ATTUNE_FN void multiply_split(float (&partial)[M][N][4], const SplitOperand<M>& a,
                              const SplitOperand<N / 2>& b) {
  multiply_tiles<tf32>(partial, a.low, b.high);
  multiply_tiles<tf32>(partial, a.high, b.low);
  multiply_tiles<tf32>(partial, a.high, b.high);
}

// score = Q · K^T over N tiles of 8 keys.
template <int M, int N, int DIM, int ROW_CHUNKS, bool IN_REGISTERS>
ATTUNE_FN void multiply_queries_keys(float (&score)[M][N][4],
                                     QueryFragment<float, M, DIM, ROW_CHUNKS, IN_REGISTERS>& query,
                                     const SharedTile<float, ROW_CHUNKS>& keys) {
  clear(score);
  const int row = lane_index() / 4, place = lane_index() % 4;
  ATTUNE_NO_UNROLL
  for (int chunk = place; chunk < DIM / 4; chunk += 4) {
    SplitOperand<M> a[2];  // of the chunk's two k-steps
    ATTUNE_UNROLL
    for (int i = 0; i < 2 * M; ++i) {
      const Columns4 columns = load_columns(query.rows.chunk(8 * i + row, chunk));
      ATTUNE_UNROLL
      for (int c = 0; c < 4; ++c)
        a[c / 2].set(i / 2, i % 2 + c % 2 * 2, columns.value[c]);
    }
    ATTUNE_UNROLL
    for (int n = 0; n < N; n += 2) {
      SplitOperand<1> b[2];
      ATTUNE_UNROLL
      for (int tile = 0; tile < 2; ++tile) {
        const Columns4 columns = load_columns(keys.chunk(8 * (n + tile) + row, chunk));
        ATTUNE_UNROLL
        for (int c = 0; c < 4; ++c)
          b[c / 2].set(0, 2 * tile + c % 2, columns.value[c]);
      }
      float partial[M][2][4];
      clear(partial);
      multiply_split(partial, a[0], b[0]);
      multiply_split(partial, a[1], b[1]);
      ATTUNE_UNROLL
      for (int m = 0; m < M; ++m) {
        ATTUNE_UNROLL
        for (int e = 0; e < 8; ++e)
          score[m][n + e / 4][e % 4] += partial[m][e / 4][e % 4];
      }
    }
  }
}

// output += P · V over the keys of probability tiles `first` and `first` + 1.
template <int M, int N, int DIM, int ROW_CHUNKS>
ATTUNE_FN void multiply_probabilities_values(OutputFragment<float, M, DIM>& output,
                                             const float (&probability)[M][N][4], int first,
                                             const SharedTile<float, ROW_CHUNKS>& values) {
  const int column = lane_index() / 4, place = lane_index() % 4;
  SplitOperand<M> a[kProductTiles];
  ATTUNE_UNROLL
  for (int tile = 0; tile < kProductTiles; ++tile) {
    ATTUNE_UNROLL
    for (int i = 0; i < 4 * M; ++i)  // words: rows 8 apart, then keys side by side
      a[tile].set(i / 4, i % 4, probability[i / 4][first + tile][i % 2 * 2 + i % 4 / 2]);
  }
  ATTUNE_UNROLL
  for (int group = 0; group < DIM / kGroupColumns; ++group) {
    SplitOperand<2> b[kProductTiles];
    ATTUNE_UNROLL
    for (int i = 0; i < 2 * kProductTiles; ++i) {
      const int key = 8 * (first + i / 2) + 2 * place + i % 2;
      const Columns4 columns = load_columns(values.chunk(key, 8 * group + column));
      ATTUNE_UNROLL
      for (int t = 0; t < 4; ++t)
        b[i / 2].set(t / 2, t % 2 * 2 + i % 2, columns.value[t]);
    }
    float partial[M][4][4];
    clear(partial);
    ATTUNE_UNROLL
    for (int tile = 0; tile < kProductTiles; ++tile)
      multiply_split(partial, a[tile], b[tile]);
    ATTUNE_UNROLL
    for (int m = 0; m < M; ++m) {
      ATTUNE_UNROLL
      for (int e = 0; e < 16; ++e)
        output.value[0][m][4 * group + e / 4][e % 4] += partial[m][e / 4][e % 4];
    }
  }
}

// Writes the warp's output rows, each times its factor, to `staging`.
template <int M, int DIM, int ROW_CHUNKS>
ATTUNE_FN void stage_output(const SharedTile<float, ROW_CHUNKS>& staging,
                            const OutputFragment<float, M, DIM>& output, const float (&factor)[2 * M]) {
  const int row = lane_index() / 4, place = lane_index() % 4;
  ATTUNE_UNROLL
  for (int i = 0; i < 2 * M; ++i) {
    ATTUNE_UNROLL
    for (int chunk = 0; chunk < DIM / 16; ++chunk) {  // of the lane: two of each group
      Columns4 columns;
      ATTUNE_UNROLL
      for (int t = 0; t < 4; ++t)
        columns.value[t] = output.value[0][i / 2][chunk / 2 * 4 + t][2 * (i % 2) + chunk % 2] * factor[i];
      staging.chunk(8 * i + row, chunk / 2 * 8 + 2 * place + chunk % 2)
          .store16(0, reinterpret_cast<const Bytes16&>(columns));
    }
  }
}

}  // namespace attune

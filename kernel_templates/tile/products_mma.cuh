// The two products of attention for 16-bit elements, on the tensor cores (mma.sync m16n8k16, accumulation in
// f32).
//
// A warp owns M fragments of 16 rows. Scores and outputs are accumulator fragments; the probabilities of 16
// keys are, once packed, exactly the A operand of the second product, so they never leave the registers.
#pragma once

#include "tile/fragment.cuh"
#include "tile/matrices.cuh"

namespace attune {

// Keys that one step of the second product takes, in tiles of 8.
constexpr int kProductTiles = 2;

// Output columns are processed in panels, which bounds the registers that hold V.
template <int DIM>
constexpr int panel_tiles() {
  return DIM % 64 == 0 ? 8 : DIM % 32 == 0 ? 4 : 2;
}

template <typename T, int M, int DIM>
struct OutputFragment {
  static constexpr int kPanelTiles = panel_tiles<DIM>();
  static constexpr int kPanels = DIM / 8 / kPanelTiles;
  float value[kPanels][M][kPanelTiles][4];
};

// The warp's Q rows: in shared memory, or with IN_REGISTERS copied once.
template <typename T, int M, int DIM, int ROW_CHUNKS, bool IN_REGISTERS>
struct QueryFragment {
  TileCursor<T, ROW_CHUNKS> cursor;
  u32 value[IN_REGISTERS ? DIM / 16 : 1][M][4];

  ATTUNE_FN explicit QueryFragment(const SharedTile<T, ROW_CHUNKS>& warp_rows)
      : cursor(cursor_by_columns(warp_rows)) {}

  // To be called once the rows have arrived.
  ATTUNE_FN void fetch() {
    if constexpr (IN_REGISTERS) {
      ATTUNE_UNROLL
      for (int step = 0; step < DIM / 16; ++step)
        load(value[step], step);
    }
  }
  // The fragments of columns 16 · step to + 15.
  ATTUNE_FN const u32 (&step(int step))[M][4] {
    if constexpr (IN_REGISTERS) {
      return value[step];
    } else {
      load(value[0], step);
      return value[0];
    }
  }

 private:
  ATTUNE_FN void load(u32 (&fragment)[M][4], int step) const {
    load_matrices<M, false>(fragment, [&](int m) { return cursor.at(16 * m, 2 * step); });
  }
};

// score = Q · K^T over N tiles of 8 keys.
template <typename T, int M, int N, int DIM, int ROW_CHUNKS, bool IN_REGISTERS, int PANEL_ROWS>
ATTUNE_FN void multiply_queries_keys(float (&score)[M][N][4],
                                     QueryFragment<T, M, DIM, ROW_CHUNKS, IN_REGISTERS>& query,
                                     const SharedTile<T, ROW_CHUNKS, PANEL_ROWS>& keys) {
  clear(score);
  const TileCursor<T, ROW_CHUNKS, PANEL_ROWS> cursor = cursor_by_rows(keys);
  ATTUNE_UNROLL
  for (int step = 0; step < DIM / 16; ++step) {
    u32 b[N / 2][4];
    load_matrices<N / 2, false>(b, [&](int i) { return cursor.at(16 * i, 2 * step); });
    multiply_tiles<T, M, N>(score, query.step(step), b);
  }
}

// output += P · V over the keys of probability tiles `first` and `first` + 1.
template <typename T, int M, int N, int DIM, int ROW_CHUNKS, int PANEL_ROWS>
ATTUNE_FN void multiply_probabilities_values(OutputFragment<T, M, DIM>& output,
                                             const float (&probability)[M][N][4], int first,
                                             const SharedTile<T, ROW_CHUNKS, PANEL_ROWS>& values) {
  using Output = OutputFragment<T, M, DIM>;
  const TileCursor<T, ROW_CHUNKS, PANEL_ROWS> cursor = cursor_by_columns(values);
  u32 a[M][4];
  ATTUNE_UNROLL
  for (int m = 0; m < M; ++m) {
    ATTUNE_UNROLL
    for (int i = 0; i < 4; ++i) {
      const float(&tile)[4] = probability[m][first + i / 2];
      a[m][i] = pack_pair<T>(tile[2 * (i % 2)], tile[2 * (i % 2) + 1]);
    }
  }
  ATTUNE_UNROLL
  for (int panel = 0; panel < Output::kPanels; ++panel) {
    u32 b[Output::kPanelTiles / 2][4];
    load_matrices<Output::kPanelTiles / 2, true>(
        b, [&](int i) { return cursor.at(8 * first, Output::kPanelTiles * panel + 2 * i); });
    multiply_tiles<T, M, Output::kPanelTiles>(output.value[panel], a, b);
  }
}

// Writes the warp's output rows, each times its factor, to `staging`.
template <typename T, int M, int DIM, int ROW_CHUNKS>
ATTUNE_FN void stage_output(const SharedTile<T, ROW_CHUNKS>& staging, const OutputFragment<T, M, DIM>& output,
                            const float (&factor)[2 * M]) {
  using Output = OutputFragment<T, M, DIM>;
  const int lane = lane_index();
  ATTUNE_UNROLL
  for (int panel = 0; panel < Output::kPanels; ++panel) {
    ATTUNE_UNROLL
    for (int i = 0; i < 2 * M; ++i) {
      ATTUNE_UNROLL
      for (int n = 0; n < Output::kPanelTiles; ++n) {
        const float(&tile)[4] = output.value[panel][i / 2][n];
        const u32 pair = pack_pair<T>(tile[2 * (i % 2)] * factor[i], tile[2 * (i % 2) + 1] * factor[i]);
        staging.chunk(8 * i + lane / 4, Output::kPanelTiles * panel + n).store_pair(2 * (lane % 4), pair);
      }
    }
  }
}

}  // namespace attune

// The two products of attention for 16-bit elements, on the tensor cores (mma.sync m16n8k16, accumulation in
// f32).
//
// A warp owns M fragments of 16 rows. Scores and outputs are accumulator fragments; the probabilities of 16
// keys are, once packed, exactly the A operand of the second product, so they never leave the registers.
#pragma once

#include "isa/isa.cuh"
#include "tile/fragment.cuh"

namespace attune {

// Output columns are processed in panels, which bounds the registers that hold V.
template <int PADDED_DIM>
constexpr int panel_tiles() {
  return PADDED_DIM % 64 == 0 ? 8 : PADDED_DIM % 32 == 0 ? 4 : 2;
}
template <int PADDED_DIM>
constexpr int panels() {
  return PADDED_DIM / 8 / panel_tiles<PADDED_DIM>();
}

template <int M, int PADDED_DIM>
struct OutputFragment {
  float value[panels<PADDED_DIM>()][M][panel_tiles<PADDED_DIM>()][4];
};

// The warp's Q rows: in shared memory, or with IN_REGISTERS copied once.
template <typename T, int M, int PADDED_DIM, bool IN_REGISTERS>
struct QueryFragment {
  Shared<T> lane_row;  // this lane's row of the first matrix load
  int row_stride;
  u32 value[IN_REGISTERS ? PADDED_DIM / 16 : 1][M][4];

  ATTUNE_FN QueryFragment(Shared<T> warp_rows, int stride)
      : lane_row(warp_rows + ((lane_index() % 16) * stride + lane_index() / 16 * 8)), row_stride(stride) {}

  // To be called once the rows have arrived.
  ATTUNE_FN void fetch() {
    if constexpr (IN_REGISTERS) {
      ATTUNE_UNROLL
      for (int step = 0; step < PADDED_DIM / 16; ++step) {
        load_matrices<M, false>(value[step], lane_row + 16 * step, 16 * row_stride);
      }
    }
  }
};

// score = Q · K^T over N tiles of 8 keys.
template <typename T, int M, int N, int PADDED_DIM, bool IN_REGISTERS>
ATTUNE_FN void multiply_queries_keys(float (&score)[M][N][4],
                                     QueryFragment<T, M, PADDED_DIM, IN_REGISTERS>& query, Shared<T> keys,
                                     int row_stride) {
  clear(score);
  const int lane = lane_index();
  // Matrices of one load: keys 0-7 with k 0-7 and 8-15, then keys 8-15 likewise.
  const Shared<T> lane_row = keys + ((lane / 16 * 8 + lane % 8) * row_stride + lane / 8 % 2 * 8);
  ATTUNE_UNROLL
  for (int step = 0; step < PADDED_DIM / 16; ++step) {
    u32 b[N / 2][4];
    load_matrices<N / 2, false>(b, lane_row + 16 * step, 16 * row_stride);
    if constexpr (IN_REGISTERS) {
      multiply_tiles<T, M, N>(score, query.value[step], b);
    } else {
      load_matrices<M, false>(query.value[0], query.lane_row + 16 * step, 16 * query.row_stride);
      multiply_tiles<T, M, N>(score, query.value[0], b);
    }
  }
}

// output += P · V over N tiles of 8 keys.
template <typename T, int M, int N, int PADDED_DIM>
ATTUNE_FN void multiply_probabilities_values(OutputFragment<M, PADDED_DIM>& output,
                                             float (&probability)[M][N][4], Shared<T> values,
                                             int row_stride) {
  constexpr int kTiles = panel_tiles<PADDED_DIM>();
  const int lane = lane_index();
  // Matrices of one transposed load: keys 0-7 and 8-15 of columns 0-7, then of columns 8-15.
  const Shared<T> lane_row = values + ((lane % 16) * row_stride + lane / 16 * 8);
  ATTUNE_UNROLL
  for (int step = 0; step < N / 2; ++step) {
    u32 a[M][4];
    ATTUNE_UNROLL
    for (int m = 0; m < M; ++m) {
      ATTUNE_UNROLL
      for (int i = 0; i < 4; ++i) {
        const float(&tile)[4] = probability[m][2 * step + i / 2];
        a[m][i] = pack_pair<T>(tile[2 * (i % 2)], tile[2 * (i % 2) + 1]);
      }
    }
    ATTUNE_UNROLL
    for (int panel = 0; panel < panels<PADDED_DIM>(); ++panel) {
      u32 b[kTiles / 2][4];
      load_matrices<kTiles / 2, true>(b, lane_row + (16 * step * row_stride + 8 * kTiles * panel), 16);
      multiply_tiles<T, M, kTiles>(output.value[panel], a, b);
    }
  }
}

// Writes the warp's output rows, each times its factor, to global memory: fragments -> `staging` (the warp's
// own rows of shared memory, which nobody has read since the last block barrier) -> 16-byte stores. Rows from
// `valid_rows` on and columns from COLUMNS on are not written.
template <int COLUMNS, typename T, int M, int PADDED_DIM>
ATTUNE_FN void store_output(Global<T> destination, i64 destination_stride,
                            const OutputFragment<M, PADDED_DIM>& output, const float (&factor)[2 * M],
                            Shared<T> staging, int staging_stride, int valid_rows) {
  constexpr int kTiles = panel_tiles<PADDED_DIM>();
  const int lane = lane_index();
  ATTUNE_UNROLL
  for (int panel = 0; panel < panels<PADDED_DIM>(); ++panel) {
    ATTUNE_UNROLL
    for (int i = 0; i < 2 * M; ++i) {
      ATTUNE_UNROLL
      for (int n = 0; n < kTiles; ++n) {
        const float(&tile)[4] = output.value[panel][i / 2][n];
        const u32 pair = pack_pair<T>(tile[2 * (i % 2)] * factor[i], tile[2 * (i % 2) + 1] * factor[i]);
        staging.store_pair((8 * i + lane / 4) * staging_stride + 8 * (kTiles * panel + n) + 2 * (lane % 4),
                           pair);
      }
    }
  }
  warp_barrier();
  constexpr int kChunks = COLUMNS / 8;
  for (int chunk = lane; chunk < 16 * M * kChunks; chunk += 32) {
    const int row = chunk / kChunks;
    const int column = chunk % kChunks * 8;
    if (row >= valid_rows) break;
    destination.store16(row * destination_stride + column, staging.load16(row * staging_stride + column));
  }
}

}  // namespace attune

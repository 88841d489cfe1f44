// The two products of attention for 16-bit elements by warpgroups (wgmma m64nNk16, accumulation in f32).
//
// A warpgroup owns 64 rows. Tiles in shared memory are in panels of 64 columns, as tensor copies bring them:
// the same bytes serve a product over columns (scores) and one over rows (sums). Products only start here;
// the caller arrives before them, commits and waits.
#pragma once

#include "tile/shared_tile.cuh"

namespace attune {

constexpr int kWarpgroupRows = 64;

// A tile in panels of 64 columns.
template <typename T, int COLUMNS, int ROWS>
using PanelTile = SharedTile<T, COLUMNS * sizeof(T) / 16, ROWS>;

// Bytes from a tile's start to columns 16 · step to + 15 of it.
template <int PANEL_ROWS>
ATTUNE_FN constexpr u32 bytes_to_step(int step) {
  return static_cast<u32>(step / 4 * PANEL_ROWS * 128 + step % 4 * 32);
}

// score = A · B' over the first COLUMNS columns of both (0: all), in steps of 16: A is 64 rows of a tile, B a
// whole one.
template <int COLUMNS = 0, int N, typename T, int ROW_CHUNKS, int ROWS_A, int ROWS_B>
ATTUNE_FN void start_scores(float (&score)[1][N][4], const SharedTile<T, ROW_CHUNKS, ROWS_A>& a,
                            const SharedTile<T, ROW_CHUNKS, ROWS_B>& b) {
  static_assert(8 * N == ROWS_B, "a column of scores for each row of B");
  constexpr int kSteps = COLUMNS > 0 ? (COLUMNS + 15) / 16 : ROW_CHUNKS / 2;
  const u64 rows = matrix_descriptor(a.data.address(), 0);
  const u64 columns = matrix_descriptor(b.data.address(), 0);
  ATTUNE_UNROLL
  for (int step = 0; step < kSteps; ++step) {
    multiply_warpgroup<T, false>(score[0], advance(rows, bytes_to_step<ROWS_A>(step)),
                                 advance(columns, bytes_to_step<ROWS_B>(step)), step > 0);
  }
}

// The operand that scores become: K-steps of 16 columns of N tiles.
template <int N>
struct PackedScores {
  u32 step[N / 2][4];
};
template <typename T, int N>
ATTUNE_FN void pack(PackedScores<N>& packed, const float (&score)[1][N][4]) {
  ATTUNE_UNROLL
  for (int step = 0; step < N / 2; ++step) {
    ATTUNE_UNROLL
    for (int i = 0; i < 4; ++i) {
      const float(&tile)[4] = score[0][2 * step + i / 2];
      packed.step[step][i] = pack_pair<T>(tile[2 * (i % 2)], tile[2 * (i % 2) + 1]);
    }
  }
}

// 64 rows of an output of DIM columns.
template <int DIM>
struct WarpgroupSum {
  float value[DIM / 8][4];
};
template <int DIM>
ATTUNE_FN void clear(WarpgroupSum<DIM>& sum) {
  ATTUNE_UNROLL
  for (auto& tile : sum.value) {
    ATTUNE_UNROLL
    for (float& element : tile)
      element = 0;
  }
}

// Multiplies the rows of a thread by factors: row lane / 4 of its warp's 16, and the one eight below.
template <int DIM>
ATTUNE_FN void scale_rows(WarpgroupSum<DIM>& sum, const float (&factor)[2]) {
  ATTUNE_UNROLL
  for (auto& tile : sum.value) {
    ATTUNE_UNROLL
    for (int e = 0; e < 4; ++e)
      tile[e] *= factor[e / 2];
  }
}

// sum += A · B over all rows of B and its first DIM columns.
template <int DIM, int N, typename T, int ROW_CHUNKS, int ROWS>
ATTUNE_FN void start_sum(WarpgroupSum<DIM>& sum, const PackedScores<N>& a,
                         const SharedTile<T, ROW_CHUNKS, ROWS>& b) {
  static_assert(8 * N == ROWS, "a column of A for each row of B");
  constexpr u32 kStepBytes = 16 * 128;
  const u64 rows = matrix_descriptor(b.data.address(), ROWS * 128);
  ATTUNE_UNROLL
  for (int step = 0; step < N / 2; ++step)
    multiply_warpgroup<T, true>(sum.value, a.step[step], advance(rows, step * kStepBytes), true);
}

// Writes the warp's 16 rows, times a factor, to `staging`.
template <typename T, int DIM, int ROW_CHUNKS, int PANEL_ROWS>
ATTUNE_FN void stage_rows(const SharedTile<T, ROW_CHUNKS, PANEL_ROWS>& staging, const WarpgroupSum<DIM>& sum,
                          float factor) {
  const int lane = lane_index();
  ATTUNE_UNROLL
  for (int half = 0; half < 2; ++half) {
    ATTUNE_UNROLL
    for (int n = 0; n < DIM / 8; ++n) {
      const u32 pair = pack_pair<T>(sum.value[n][2 * half] * factor, sum.value[n][2 * half + 1] * factor);
      staging.chunk(8 * half + lane / 4, n).store_pair(2 * (lane % 4), pair);
    }
  }
}

}  // namespace attune

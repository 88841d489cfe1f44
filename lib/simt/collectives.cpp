#include "simt/collectives.h"

#include <cmath>
#include <cstring>

namespace attune::simt {
namespace {

template <typename Real>
Real combine(Real a, Real b, attune_simt_reduction reduction) {
  return reduction == ATTUNE_SIMT_SUM ? a + b : std::fmax(a, b);
}

uint32_t element(const unsigned char* row, int column) {
  uint16_t value;
  std::memcpy(&value, row + 2 * column, sizeof value);
  return value;
}

// `values` is the member of LaneCall that points to a lane's values of this type; `shown` likewise.
template <typename Real>
void reduce(const LaneCalls& lanes, int count, attune_simt_reduction reduction, Real* LaneCall::*values) {
  for (int quad = 0; quad < kWarpLanes; quad += 4) {
    for (int i = 0; i < count; ++i) {
      const auto of = [&](int lane) -> Real& { return (lanes[quad + lane].*values)[i]; };
      const Real low = combine(of(0), of(1), reduction);
      const Real high = combine(of(2), of(3), reduction);
      const Real result = combine(low, high, reduction);
      for (int lane = 0; lane < 4; ++lane)
        of(lane) = result;
    }
  }
}

template <typename Real>
void broadcast(const LaneCalls& lanes, int count, Real* LaneCall::*values, const Real* LaneCall::*shown) {
  for (int quad = 0; quad < kWarpLanes; quad += 4) {
    for (int i = 0; i < count; ++i) {
      Real seen[4];  // read all before any is written: a lane may broadcast into its own source
      for (int lane = 0; lane < 4; ++lane)
        seen[lane] = (lanes[quad + (lanes[quad + lane].source & 3)].*shown)[i];
      for (int lane = 0; lane < 4; ++lane)
        (lanes[quad + lane].*values)[i] = seen[lane];
    }
  }
}

}  // namespace

void reduce_quads(const LaneCalls& lanes, int count, attune_simt_reduction reduction, attune_simt_real real) {
  if (real == ATTUNE_SIMT_F64) return reduce(lanes, count, reduction, &LaneCall::wide_values);
  reduce(lanes, count, reduction, &LaneCall::values);
}

void reduce_warp(const LaneCalls& lanes, attune_simt_reduction reduction) {
  std::array<float, kWarpLanes> values;
  for (int lane = 0; lane < kWarpLanes; ++lane)
    values[lane] = *lanes[lane].values;
  for (int step = kWarpLanes / 2; step > 0; step /= 2) {
    const std::array<float, kWarpLanes> before = values;
    for (int lane = 0; lane < kWarpLanes; ++lane)
      values[lane] = combine(before[lane], before[lane ^ step], reduction);
  }
  for (int lane = 0; lane < kWarpLanes; ++lane)
    *lanes[lane].values = values[lane];
}

void broadcast_in_quads(const LaneCalls& lanes, int count, attune_simt_real real) {
  if (real == ATTUNE_SIMT_F64) return broadcast(lanes, count, &LaneCall::wide_values, &LaneCall::wide_shown);
  broadcast(lanes, count, &LaneCall::values, &LaneCall::shown);
}

void spread_matrices(const LaneCalls& lanes, const std::array<const unsigned char*, kWarpLanes>& rows, int i,
                     bool transpose) {
  for (int lane = 0; lane < kWarpLanes; ++lane) {
    uint32_t* fragment = lanes[lane].fragment + 4 * i;
    const int row = lane / 4;
    const int column = 2 * (lane % 4);
    for (int matrix = 0; matrix < 4; ++matrix) {
      const unsigned char* const* matrix_rows = &rows[8 * matrix];
      if (transpose) {
        fragment[matrix] = element(matrix_rows[column], row) | element(matrix_rows[column + 1], row) << 16;
      } else {
        std::memcpy(&fragment[matrix], matrix_rows[row] + 2 * column, sizeof(uint32_t));
      }
    }
  }
}

void gather_matrices(const LaneCalls& lanes, const std::array<unsigned char*, kWarpLanes>& rows, int i) {
  for (int lane = 0; lane < kWarpLanes; ++lane) {
    for (int matrix = 0; matrix < 4; ++matrix) {
      std::memcpy(rows[8 * matrix + lane / 4] + 4 * (lane % 4), &lanes[lane].stored[4 * i + matrix],
                  sizeof(uint32_t));
    }
  }
}

}  // namespace attune::simt

#include "simt/collectives.h"

#include <cmath>
#include <cstring>

namespace attune::simt {
namespace {

float combine(float a, float b, attune_simt_reduction reduction) {
  return reduction == ATTUNE_SIMT_SUM ? a + b : std::fmax(a, b);
}

uint32_t element(const unsigned char* row, int column) {
  uint16_t value;
  std::memcpy(&value, row + 2 * column, sizeof value);
  return value;
}

}  // namespace

void reduce_quads(const LaneCalls& lanes, int count, attune_simt_reduction reduction) {
  for (int quad = 0; quad < kWarpLanes; quad += 4) {
    for (int i = 0; i < count; ++i) {
      const float low = combine(lanes[quad].values[i], lanes[quad + 1].values[i], reduction);
      const float high = combine(lanes[quad + 2].values[i], lanes[quad + 3].values[i], reduction);
      const float result = combine(low, high, reduction);
      for (int lane = quad; lane < quad + 4; ++lane)
        lanes[lane].values[i] = result;
    }
  }
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

void broadcast_in_quads(const LaneCalls& lanes, int count) {
  for (int quad = 0; quad < kWarpLanes; quad += 4) {
    for (int i = 0; i < count; ++i) {
      float shown[4];  // read all before any is written: a lane may broadcast into its own source
      for (int lane = 0; lane < 4; ++lane)
        shown[lane] = lanes[quad + (lanes[quad + lane].source & 3)].shown[i];
      for (int lane = 0; lane < 4; ++lane)
        lanes[quad + lane].values[i] = shown[lane];
    }
  }
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

}  // namespace attune::simt

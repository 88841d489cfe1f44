// What the collective verbs of a warp compute, once all its lanes have met: plain functions on the lanes'
// arguments.
#pragma once

#include <array>
#include <cstdint>

#include "isa/simt_api.h"
#include "simt/scheduler.h"

namespace attune::simt {

// One lane's arguments of a collective verb; which of them mean something depends on the verb. Small, since
// it is written at each call of each lane.
struct LaneCall {
  union {
    float* values = nullptr;  // reductions of f32: in and out; quad_broadcast: out; multiply_tiles: c
    double* wide_values;      // the same for f64
    uint32_t* fragment;       // load_matrices
  };
  union {
    const float* shown = nullptr;  // quad_broadcast
    const double* wide_shown;
    const uint32_t* a;         // multiply_tiles
    const long long* offsets;  // load_matrices, store_matrices: in shared memory
  };
  union {
    int64_t source = 0;      // quad_broadcast: position in the quad
    const uint32_t* b;       // multiply_tiles
    const uint32_t* stored;  // store_matrices: fragment
  };
};

using LaneCalls = std::array<LaneCall, kWarpLanes>;

// The pairs are combined as the GPU's shuffles combine them, so that rounding is the same.
void reduce_quads(const LaneCalls& lanes, int count, attune_simt_reduction reduction, attune_simt_real real);
void reduce_warp(const LaneCalls& lanes, attune_simt_reduction reduction);
void broadcast_in_quads(const LaneCalls& lanes, int count, attune_simt_real real);

// One load of four 8x8 matrices, the i-th of the lanes' fragments: rows[l] are the 16 bytes that lane l
// named.
void spread_matrices(const LaneCalls& lanes, const std::array<const unsigned char*, kWarpLanes>& rows, int i,
                     bool transpose);
// The reverse, not transposed: rows[l] gets 16 bytes.
void gather_matrices(const LaneCalls& lanes, const std::array<unsigned char*, kWarpLanes>& rows, int i);

}  // namespace attune::simt

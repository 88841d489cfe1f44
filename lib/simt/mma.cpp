#include "simt/mma.h"

#include "simt/vector_types.h"

namespace attune::simt {

// k runs over even positions first, then over odd ones, in both operands: that is how pairs of 16 bits come
// apart. TF32 elements take a word each, where others come in pairs: of these there are eight.
struct TileMultiplier::Operands {
  alignas(64) uint32_t a_pairs[kMaxM * 16][8];  // [row][k / 2]
  alignas(64) float a[kMaxM * 16][16];          // [row][k]
  alignas(64) uint32_t b_pairs[kMaxN][8][8];    // [tile][k / 2][column]
  alignas(64) float b[kMaxN][16][8];            // [tile][k][column]
};

namespace {

using Operands = TileMultiplier::Operands;

#define ATTUNE_KERNEL "simt/mma_kernel.inl"
#include "simt/vector_variants.inl"

}  // namespace

TileMultiplier::TileMultiplier() : kernel_(portable::multiply_all), operands_(std::make_unique<Operands>()) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) kernel_ = avx2::multiply_all;
#endif
}

TileMultiplier::~TileMultiplier() = default;

void TileMultiplier::multiply(const std::array<LaneFragments, 32>& lanes, int m, int n,
                              attune_simt_format format) {
  kernel_(lanes.data(), m, n, format, *operands_);
}

}  // namespace attune::simt

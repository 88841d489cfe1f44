#include "simt/mma.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define ATTUNE_INLINE inline __attribute__((always_inline))

namespace attune::simt {

// Eight at a time: the columns of a tile.
using Floats = float __attribute__((vector_size(32)));
using Words = uint32_t __attribute__((vector_size(32)));
using Doubles = double __attribute__((vector_size(32)));  // four pairs of floats, moved only

// k runs over even positions first, then over odd ones, in both operands: that is how pairs of 16 bits come
// apart.
struct TileMultiplier::Operands {
  alignas(64) uint32_t a_pairs[kMaxM * 16][8];  // [row][k / 2]
  alignas(64) float a[kMaxM * 16][16];          // [row][k]
  alignas(64) uint32_t b_pairs[kMaxN][8][8];    // [tile][k / 2][column]
  alignas(64) float b[kMaxN][16][8];            // [tile][k][column]
};

namespace {

using Operands = TileMultiplier::Operands;

namespace portable {
constexpr int kRows = 2;
ATTUNE_INLINE void multiply_add(Floats& c, const Floats& a, const Floats& b) {
  c += a * b;
}
#include "simt/mma_kernel.inl"
}  // namespace portable

#if defined(__x86_64__)
// Everything between push and pop is compiled for CPUs with these extensions. NOTE: no header may be included
// there, or its inline functions would be, too, and the linker might take them for the whole program.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
namespace avx2 {
constexpr int kRows = 4;
ATTUNE_INLINE void multiply_add(Floats& c, const Floats& a, const Floats& b) {
  c = reinterpret_cast<Floats>(
      _mm256_fmadd_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b), reinterpret_cast<__m256>(c)));
}
#include "simt/mma_kernel.inl"
}  // namespace avx2
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

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

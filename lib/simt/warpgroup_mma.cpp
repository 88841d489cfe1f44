#include "simt/warpgroup_mma.h"

#include "simt/vector_types.h"

namespace attune::simt {

struct WarpgroupMultiplier::Operands {
  alignas(64) float a[kRows][kStep];         // [row][k]
  alignas(64) float b[kMaxTiles][kStep][8];  // [tile][k][column]
};

namespace {

using Operands = WarpgroupMultiplier::Operands;

constexpr int kProductRows = WarpgroupMultiplier::kRows;
constexpr int kStep = WarpgroupMultiplier::kStep;

#define ATTUNE_KERNEL "simt/warpgroup_mma_kernel.inl"
#include "simt/vector_variants.inl"

}  // namespace

WarpgroupMultiplier::WarpgroupMultiplier()
    : kernel_(portable::multiply_all), operands_(std::make_unique<Operands>()) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) kernel_ = avx2::multiply_all;
#endif
}

WarpgroupMultiplier::~WarpgroupMultiplier() = default;

void WarpgroupMultiplier::multiply(const uint16_t* a, const uint16_t* b, bool transpose_b, int tiles,
                                   attune_simt_format format, float* sum) {
  kernel_(a, b, transpose_b, tiles, format, *operands_, sum);
}

}  // namespace attune::simt

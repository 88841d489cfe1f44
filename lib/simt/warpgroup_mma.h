// The tensor-core product of one warpgroup in software: 64 rows, one k-step of 16, on matrices.
#pragma once

#include <cstdint>
#include <memory>

#include "isa/simt_api.h"

namespace attune::simt {

// Owned by one OS thread, as TileMultiplier is.
class WarpgroupMultiplier {
 public:
  static constexpr int kRows = 64;
  static constexpr int kStep = 16;
  static constexpr int kMaxTiles = 32;  // of 8 columns

  WarpgroupMultiplier();
  ~WarpgroupMultiplier();

  // sum[kRows][8·tiles] += a[kRows][kStep] · b, which is [8·tiles][kStep], or [kStep][8·tiles] where
  // `transpose_b`. Sums in the order of k.
  void multiply(const uint16_t* a, const uint16_t* b, bool transpose_b, int tiles, attune_simt_format format,
                float* sum);

  struct Operands;

 private:
  using Kernel = void (*)(const uint16_t* a, const uint16_t* b, bool transpose_b, int tiles,
                          attune_simt_format format, Operands& operands, float* sum);

  Kernel kernel_;  // for this CPU
  std::unique_ptr<Operands> operands_;
};

}  // namespace attune::simt

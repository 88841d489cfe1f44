// The tensor-core product of one warp in software: c += a · b on fragments spread over 32 lanes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "isa/simt_api.h"

namespace attune::simt {

// One lane's arguments of multiply_tiles.
struct LaneFragments {
  float* c;           // [m][n][4]
  const uint32_t* a;  // [m][4]
  const uint32_t* b;  // [n / 2][4]
};

// Owned by one OS thread: it holds the operands as matrices of floats, spread out for the vector units.
class TileMultiplier {
 public:
  static constexpr int kMaxM = 8;
  static constexpr int kMaxN = 32;

  TileMultiplier();
  ~TileMultiplier();

  // m <= kMaxM, n <= kMaxN and even. Sums in the order of k, of 16-bit elements even k first; every product
  // is exact, so the result does not depend on whether this CPU fuses multiply and add.
  void multiply(const std::array<LaneFragments, 32>& lanes, int m, int n, attune_simt_format format);

  struct Operands;

 private:
  using Kernel = void (*)(const LaneFragments* lanes, int m, int n, attune_simt_format format,
                          Operands& operands);

  Kernel kernel_;  // for this CPU
  std::unique_ptr<Operands> operands_;
};

}  // namespace attune::simt

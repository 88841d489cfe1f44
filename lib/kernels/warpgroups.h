// What a block of a producer warpgroup and some consumer warpgroups has on sm_90a.
#pragma once

#include "kernels/family.h"

namespace attune::warpgroups {

constexpr int kRows = 64;  // that a consumer owns

constexpr int threads(int consumers) {
  return 128 * (1 + consumers);
}

// Registers that a thread is launched with: all there are, shared out evenly.
constexpr int launch_registers(int consumers) {
  return consumers == 2 ? 168 : 128;
}

// What such a block takes.
inline ResourceUse resources(int consumers, int shared_bytes) {
  return {.shared_bytes = shared_bytes,
          .threads = threads(consumers),
          .registers_per_thread = launch_registers(consumers)};
}

// Registers of fragments that a consumer's thread can hold without spills, once producers have given up
// theirs: measured with NVRTC 13.0 (docs/learnt.md).
constexpr int fragment_limit(int consumers) {
  return consumers == 2 ? 208 : 128;
}

// Multiply-adds of a multiprocessor in a cycle.
constexpr double kProductsPerCycle = 2048;

}  // namespace attune::warpgroups

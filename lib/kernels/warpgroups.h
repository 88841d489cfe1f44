// What a block of a producer warpgroup and some consumer warpgroups has on sm_90a.
#pragma once

#include <algorithm>

#include "kernels/family.h"

namespace attune::warpgroups {

constexpr int kRows = 64;  // that a consumer owns

constexpr int threads(int consumers) {
  return 128 * (1 + consumers);
}

// Registers that a thread is launched with: all there are, shared out evenly among the blocks that a
// multiprocessor has at a time.
constexpr int launch_registers(int consumers, int blocks) {
  constexpr int kRegisters = 65536, kMost = 255;
  return std::min(kRegisters / (threads(consumers) * blocks) / 8 * 8, kMost);
}

// What such a block takes.
inline ResourceUse resources(int consumers, int shared_bytes, int blocks = 1) {
  return {.shared_bytes = shared_bytes,
          .threads = threads(consumers),
          .registers_per_thread = launch_registers(consumers, blocks)};
}

// Registers of fragments that a consumer's thread can hold without spills, once producers have given up
// theirs: measured with NVRTC 13.0 (docs/learnt.md).
constexpr int fragment_limit(int consumers) {
  return consumers == 1 ? 200 : consumers == 2 ? 208 : 128;
}

// Multiply-adds of a multiprocessor in a cycle.
constexpr double kProductsPerCycle = 2048;

}  // namespace attune::warpgroups

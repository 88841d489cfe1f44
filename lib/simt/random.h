// Random: the emulator's source of chance. Small, fast and the same everywhere, so that a seed replays a
// schedule.
#pragma once

#include <cstdint>

namespace attune::simt {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(mix(seed)) {}

  // splitmix64.
  uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15u); }

  // A few bits at a time out of one draw: scheduling asks for five bits at each switch.
  uint32_t bits(int count) {
    if (left_ < count) {
      pool_ = next();
      left_ = 64;
    }
    const uint32_t result = static_cast<uint32_t>(pool_) & ((1u << count) - 1);
    pool_ >>= count;
    left_ -= count;
    return result;
  }

  static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
  uint64_t pool_ = 0;
  int left_ = 0;
};

}  // namespace attune::simt

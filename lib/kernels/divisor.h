// What kernels divide by (kernel_templates/attention/divisor.cuh), prepared.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "attention/divisor.h"

namespace attune {

// `value` is below 2^31. 0 is allowed (a launch without tiles) and divides as 1.
inline Divisor divisor_of(int64_t value) {
  const auto divisor = static_cast<uint32_t>(std::max<int64_t>(1, value));
  const unsigned shift = 31 + static_cast<unsigned>(std::bit_width(divisor - 1));
  const uint64_t power = uint64_t{1} << shift;
  return {.value = static_cast<uint32_t>(value),
          .multiplier = static_cast<uint32_t>((power + divisor - 1) / divisor),
          .shift = shift};
}

}  // namespace attune

// quotient_up: the least integer that is not below a / b, for a >= 0 and b > 0.
#pragma once

#include <cstdint>

namespace attune {

constexpr int64_t quotient_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace attune

#include "reference/element.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "isa/float_formats.h"

namespace attune {
namespace {

// Rounds to odd: an inexact result gets its last bit set. A second rounding to a format at least two bits
// shorter then gives what one rounding would; rounding to nearest twice is off where the first lands on a
// tie.
float float_to_odd(double value) {
  const float nearest = static_cast<float>(value);
  if (std::isnan(value) || static_cast<double>(nearest) == value) return nearest;
  uint32_t bits = std::bit_cast<uint32_t>(nearest);
  if (std::fabs(static_cast<double>(nearest)) > std::fabs(value))
    --bits;  // towards zero; infinity to the largest
  return std::bit_cast<float>(bits | 1u);
}

uint16_t half_bits(DType dtype, double value) {
  const float odd = float_to_odd(value);
  return dtype == DType::f16 ? f16_from_float(odd) : bf16_from_float(odd);
}

double half_value(DType dtype, uint16_t bits) {
  return dtype == DType::f16 ? f16_to_float(bits) : bf16_to_float(bits);
}

}  // namespace

double load_element(DType dtype, const void* element) {
  if (dtype == DType::f64) {
    double value;
    std::memcpy(&value, element, sizeof value);
    return value;
  }
  if (dtype == DType::f32) {
    float value;
    std::memcpy(&value, element, sizeof value);
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, element, sizeof bits);
  return half_value(dtype, bits);
}

void store_element(DType dtype, void* element, double value) {
  if (dtype == DType::f64) {
    std::memcpy(element, &value, sizeof value);
    return;
  }
  if (dtype == DType::f32) {
    const float rounded = static_cast<float>(value);
    std::memcpy(element, &rounded, sizeof rounded);
    return;
  }
  const uint16_t bits = half_bits(dtype, value);
  std::memcpy(element, &bits, sizeof bits);
}

double round_to(DType dtype, double value) {
  if (dtype == DType::f64) return value;
  return dtype == DType::f32 ? static_cast<double>(static_cast<float>(value))
                             : half_value(dtype, half_bits(dtype, value));
}

double ulp_at(DType dtype, double value) {
  struct Format {
    int fraction_bits;
    int smallest_exponent;  // of a normal number
  };
  const Format format = dtype == DType::f16    ? Format{10, -14}
                        : dtype == DType::bf16 ? Format{7, -126}
                        : dtype == DType::f32  ? Format{23, -126}
                                               : Format{52, -1022};
  int exponent = 0;
  std::frexp(value, &exponent);  // |value| in [2^(exponent-1), 2^exponent); zero has exponent 0
  const int binade = value == 0 ? format.smallest_exponent : std::max(exponent - 1, format.smallest_exponent);
  return std::ldexp(1.0, binade - format.fraction_bits);
}

}  // namespace attune

// The 16-bit float formats on the host: f16 and bf16 to and from float, by bits. Rounds to nearest even;
// subnormals, infinities and the signs of zeros and NaNs are kept. A GPU converts by PTX instead, so NVRTC
// never sees this file.
//
// NOTE: a NaN stays a quiet NaN with the top bits of its payload, as IEEE 754 recommends and x86 does; a GPU
// writes 0x7fff for every NaN. Compare NaNs as NaNs, not as bits.
#pragma once

#include <bit>
#include <cstdint>

namespace attune {

inline uint16_t bf16_from_float(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u)
    return static_cast<uint16_t>((bits >> 16) | 0x0040u);  // NaN: make it quiet
  const uint32_t lowest_kept = (bits >> 16) & 1u;          // a tie goes to the even neighbour
  return static_cast<uint16_t>((bits + 0x7fffu + lowest_kept) >>
                               16);  // a carry out of the mantissa is the next binade
}

inline float bf16_to_float(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

inline uint16_t f16_from_float(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  uint32_t result;
  if (magnitude > 0x7f800000u) {
    result = 0x7e00u | ((magnitude >> 13) & 0x03ffu);
  } else if (magnitude >= 0x47800000u) {  // 2^16 and more; what lies between 65504 and 2^16 is rounded below
    result = 0x7c00u;
  } else if (magnitude < 0x38800000u) {  // below 2^-14, subnormal in f16: count the units of 2^-24
    // The unit in the last place of 0.5f is 2^-24, so the addition itself rounds, to nearest even.
    result = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  } else {
    const uint32_t lowest_kept = (magnitude >> 13) & 1u;
    result = (magnitude - 0x38000000u + 0x0fffu + lowest_kept) >> 13;  // exponent bias 127 becomes 15
  }
  return static_cast<uint16_t>(sign | result);
}

inline float f16_to_float(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t magnitude = bits & 0x7fffu;
  uint32_t result;
  if (magnitude >= 0x7c00u) {
    result = 0x7f800000u | ((magnitude & 0x03ffu) << 13) | (magnitude > 0x7c00u ? 0x00400000u : 0u);
  } else if (magnitude < 0x0400u) {  // subnormal: that many units of 2^-24, exact in float
    result = std::bit_cast<uint32_t>(static_cast<float>(magnitude) * 0x1p-24f);
  } else {
    result = (magnitude << 13) + 0x38000000u;
  }
  return std::bit_cast<float>(sign | result);
}

}  // namespace attune

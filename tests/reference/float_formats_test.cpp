// Both 16-bit formats against their definition, for all 65536 patterns and around every rounding midpoint.
#include "isa/float_formats.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "support/catch.h"

using namespace attune;

namespace {

struct Format {
  const char* name;
  int fraction_bits;
  int exponent_bits;
  uint16_t (*from_float)(float);
  float (*to_float)(uint16_t);

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  uint16_t infinity() const { return static_cast<uint16_t>(((1 << exponent_bits) - 1) << fraction_bits); }
};

const Format kFormats[] = {{"f16", 10, 5, f16_from_float, f16_to_float},
                           {"bf16", 7, 8, bf16_from_float, bf16_to_float}};

// The value of a finite magnitude by the definition of the format.
double defined_value(const Format& format, uint16_t magnitude) {
  const int exponent = magnitude >> format.fraction_bits;
  const int fraction = magnitude & ((1 << format.fraction_bits) - 1);
  const int significand = exponent == 0 ? fraction : fraction + (1 << format.fraction_bits);
  return std::ldexp(significand, std::max(exponent, 1) - format.bias() - format.fraction_bits);
}

bool is_nan_pattern(const Format& format, uint16_t bits) {
  return (bits & 0x7fff) > format.infinity();
}

}  // namespace

TEST_CASE("every 16-bit pattern has the value its format defines") {
  for (const Format& format : kFormats) {
    INFO(format.name);
    int wrong = 0;
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
      const auto magnitude = static_cast<uint16_t>(bits & 0x7fff);
      const float value = format.to_float(static_cast<uint16_t>(bits));
      if (std::signbit(value) != (bits >= 0x8000)) ++wrong;
      if (is_nan_pattern(format, magnitude)) {
        wrong += !std::isnan(value);
      } else if (magnitude == format.infinity()) {
        wrong += !std::isinf(value);
      } else {
        wrong += std::fabs(static_cast<double>(value)) != defined_value(format, magnitude);
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("every 16-bit pattern comes back from float, NaNs as quiet NaNs") {
  for (const Format& format : kFormats) {
    INFO(format.name);
    int wrong = 0;
    for (uint32_t i = 0; i < 0x10000; ++i) {
      const auto bits = static_cast<uint16_t>(i);
      const uint16_t back = format.from_float(format.to_float(bits));
      const int quiet = 1 << (format.fraction_bits - 1);
      wrong += back != (is_nan_pattern(format, bits) ? bits | quiet : bits);
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("floats round to the nearest, and midpoints to even") {
  for (const Format& format : kFormats) {
    INFO(format.name);
    int wrong = 0;
    for (uint16_t low = 0; low < format.infinity(); ++low) {
      const auto high = static_cast<uint16_t>(low + 1);
      // Past the largest number the next one would be where the exponent of infinity says.
      const double middle = (defined_value(format, low) + defined_value(format, high)) / 2;
      const auto tie = static_cast<float>(middle);
      if (static_cast<double>(tie) != middle) ++wrong;  // midpoints are floats
      const float below = std::nextafterf(tie, 0);
      const float above = std::nextafterf(tie, std::numeric_limits<float>::infinity());
      const uint16_t even = low % 2 == 0 ? low : high;
      for (const int sign : {0, 1}) {
        const auto bit = static_cast<uint16_t>(sign << 15);
        const float factor = sign ? -1.0f : 1.0f;
        wrong += format.from_float(factor * below) != (bit | low);
        wrong += format.from_float(factor * tie) != (bit | even);
        wrong += format.from_float(factor * above) != (bit | high);
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("the ends of the float range convert") {
  CHECK(f16_from_float(65504.0f) == 0x7bff);
  CHECK(f16_from_float(65519.996f) == 0x7bff);
  CHECK(f16_from_float(65520.0f) == 0x7c00);
  CHECK(f16_from_float(std::numeric_limits<float>::max()) == 0x7c00);
  CHECK(f16_from_float(-std::numeric_limits<float>::infinity()) == 0xfc00);
  CHECK(f16_from_float(std::numeric_limits<float>::denorm_min()) == 0);
  CHECK(f16_from_float(-0.0f) == 0x8000);
  CHECK(bf16_from_float(std::numeric_limits<float>::max()) == 0x7f80);
  CHECK(bf16_from_float(std::numeric_limits<float>::infinity()) == 0x7f80);
  CHECK(bf16_from_float(std::numeric_limits<float>::denorm_min()) == 0);
  CHECK(bf16_from_float(-0.0f) == 0x8000);
}

TEST_CASE("a NaN whose payload is all in the bits cut off stays a NaN") {
  const float nan = std::bit_cast<float>(0x7f800001u);
  CHECK(std::isnan(f16_to_float(f16_from_float(nan))));
  CHECK(std::isnan(bf16_to_float(bf16_from_float(nan))));
  CHECK(std::signbit(bf16_to_float(bf16_from_float(std::bit_cast<float>(0xffffffffu)))));
  CHECK(std::isnan(bf16_to_float(bf16_from_float(std::bit_cast<float>(0xffffffffu)))));
}

#include "reference/element.h"

#include <cmath>
#include <limits>

#include "support/catch.h"

using namespace attune;

TEST_CASE("double rounds to a dtype once") {
  // Just above the midpoint of 1 and 1 + 2^-7: rounding to float first would land on the midpoint, and then
  // go down.
  const double above_tie = 1 + 0x1p-8 + 0x1p-40;
  CHECK(round_to(DType::bf16, above_tie) == 1 + 0x1p-7);
  CHECK(round_to(DType::bf16, 1 + 0x1p-8) == 1);
  CHECK(round_to(DType::bf16, 1 + 0x1p-8 - 0x1p-40) == 1);
  CHECK(round_to(DType::f16, 1 + 0x1p-11 + 0x1p-40) == 1 + 0x1p-10);
  CHECK(round_to(DType::f16, 1 + 3 * 0x1p-11 - 0x1p-40) ==
        1 + 0x1p-10);  // below the midpoint whose even is above
  CHECK(round_to(DType::f16, -(1 + 0x1p-11 + 0x1p-40)) == -(1 + 0x1p-10));
  CHECK(round_to(DType::f32, 1 + 0x1p-24) == 1);
  CHECK(round_to(DType::f32, 1 + 0x1p-24 + 0x1p-50) == 1 + 0x1p-23);
}

TEST_CASE("doubles out of range become infinities, zeros and NaNs of the dtype") {
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32}) {
    INFO(name_of(dtype));
    CHECK(std::isinf(round_to(dtype, 1e300)));
    CHECK(round_to(dtype, -1e300) < 0);
    CHECK(round_to(dtype, 1e-300) == 0);
    CHECK(std::isnan(round_to(dtype, std::numeric_limits<double>::quiet_NaN())));
    CHECK(round_to(dtype, 0.0) == 0);
  }
  CHECK(round_to(DType::f16, 65519.999) == 65504);
  CHECK(std::isinf(round_to(DType::f16, 65520.0)));
  CHECK(std::isinf(round_to(DType::bf16, 3.4e38)));
  CHECK(round_to(DType::f16, 0x1p-25) == 0);  // half of the smallest subnormal: to even
  CHECK(round_to(DType::f16, 0x1.0001p-25) == 0x1p-24);
}

TEST_CASE("elements in memory keep their value") {
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32}) {
    unsigned char memory[5] = {};
    store_element(dtype, memory + 1, -2.5);  // any address will do
    CHECK(load_element(dtype, memory + 1) == -2.5);
  }
}

TEST_CASE("the unit in the last place") {
  CHECK(ulp_at(DType::bf16, 1) == 0x1p-7);
  CHECK(ulp_at(DType::bf16, -1.99) == 0x1p-7);
  CHECK(ulp_at(DType::bf16, 2) == 0x1p-6);
  CHECK(ulp_at(DType::f16, 0.75) == 0x1p-11);
  CHECK(ulp_at(DType::f16, 0) == 0x1p-24);
  CHECK(ulp_at(DType::f16, 1e-30) == 0x1p-24);
  CHECK(ulp_at(DType::f32, 1) == 0x1p-23);
  CHECK(ulp_at(DType::f32, 0) == 0x1p-149);
  CHECK(ulp_at(DType::bf16, 0) == 0x1p-133);
}

// The acceptance rule on values made for it: each bound, on both sides.
#include "reference/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "reference/element.h"
#include "reference/row_softmax.h"
#include "support/catch.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// [1, 2, 200, 4] with tiles of 64, 64, 64 and 8 rows; the reference is 1 everywhere.
struct Values {
  explicit Values(DType dtype) : out(dtype, {1, 2, 200, 4}) { out.fill(1); }
  Comparison compare(double factor = 2) const { return compare_tiles("o", out, reference, naive, factor); }

  HostTensor out;
  std::vector<double> reference = std::vector<double>(1600, 1.0);
  std::vector<double> naive = std::vector<double>(1600, 1.0);
};

}  // namespace

TEST_CASE("equal is ok with ratio 0, even where the tolerance is 0") {
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32}) {
    const Comparison comparison = Values(dtype).compare();
    CHECK(comparison.ok);
    CHECK(comparison.worst_ratio == 0);
    CHECK(comparison.reason.empty());
  }
  Values zero(DType::bf16);
  zero.out.fill(0);
  zero.reference.assign(1600, 0);
  zero.naive.assign(1600, 0);
  CHECK(zero.compare().ok);
  zero.out.set(0, 1, 199, 3, 0x1p-30);
  CHECK_FALSE(zero.compare().ok);
}

TEST_CASE("the maximum may be twice naive's and twice the rounding, of the same tile") {
  Values values(DType::bf16);
  values.naive[4 * 70] = 1.25;  // error 0.25 in head 0, tile 64..127
  values.out.set(0, 0, 100, 2, 1.5);
  CHECK(values.compare().worst_ratio == 1);
  CHECK(values.compare().ok);
  CHECK(values.compare().max_abs_error == 0.5);
  values.out.set(0, 0, 100, 2, 1.5078125);
  const Comparison worse = values.compare();
  CHECK_FALSE(worse.ok);
  CHECK_THAT(
      worse.reason,
      ContainsSubstring("o batch 0 head 0 rows 64..127: max error 0.5078 > 0.5; worst at row 100 column 2"));
  CHECK(values.compare(3).ok);

  values.out.set(0, 0, 100, 2, 1);
  values.out.set(0, 0, 60, 2, 1.25);  // another tile, where naive is exact
  CHECK_FALSE(values.compare().ok);
  values.out.set(0, 0, 60, 2, 1);
  values.out.set(0, 1, 100, 2, 1.25);  // another head
  CHECK_FALSE(values.compare().ok);
}

TEST_CASE("a last tile of few rows is measured by naive's errors in the 64 rows that end with it") {
  Values values(DType::bf16);  // rows 192..199 are head 0's last tile
  const auto set_naive = [&](int64_t first_row, int64_t last_row, double value) {
    std::fill(values.naive.begin() + 4 * first_row, values.naive.begin() + 4 * last_row, value);
  };
  set_naive(136, 192, 1.25);
  values.out.set(0, 0, 199, 2, 1.5);
  CHECK(values.compare().worst_ratio == 1);
  values.out.set(0, 0, 199, 2, 1.5078125);
  CHECK_FALSE(values.compare().ok);
  values.out.set(0, 0, 199, 2, 1.25);
  set_naive(136, 192, 1);
  set_naive(100, 136, 1.25);  // too early
  CHECK_FALSE(values.compare().ok);
  // Not the other way: a whole tile has only its own.
  set_naive(100, 136, 1);
  set_naive(192, 200, 1.25);
  CHECK(values.compare().ok);
  values.out.set(0, 0, 191, 2, 1.25);
  CHECK_FALSE(values.compare().ok);
}

TEST_CASE("rounding of the reference counts twice in the maximum") {
  Values values(DType::bf16);
  values.reference.assign(1600, 1 + 0x1p-9);  // a quarter of an ulp above 1
  values.out.set(0, 0, 0, 0, 1 + 0x1p-7);  // error 3/4 ulp > 2·(naive 1/4) + 2·(1/4 - tiny)? exactly 3/4 <= 1
  const Comparison comparison = values.compare();
  CHECK(comparison.ok);
  values.out.set(0, 0, 0, 0, 1 + 0x1p-6);  // 7/4 > 1
  CHECK_FALSE(values.compare().ok);
}

TEST_CASE("the rms rule catches what is small but everywhere") {
  Values values(DType::bf16);
  for (int64_t row = 64; row < 128; ++row) {
    for (int64_t c = 0; c < 4; ++c)
      values.out.set(0, 1, row, c, 1 + 0x1p-7);
  }
  values.naive[(200 + 64) * 4] = 1.25;  // allows a maximum of 0.5, and an rms of 2·0.25/16 + 2^-8
  const Comparison ok = values.compare();
  CHECK(ok.ok);
  CHECK(std::fabs(ok.worst_ratio - 0x1p-7 / (0.5 / 16 + 0x1p-8)) < 1e-12);
  for (int64_t row = 64; row < 128; ++row) {
    for (int64_t c = 0; c < 4; ++c)
      values.out.set(0, 1, row, c, 1 + 5 * 0x1p-7);
  }
  const Comparison bad = values.compare();
  CHECK_FALSE(bad.ok);
  CHECK_THAT(bad.reason, ContainsSubstring("o batch 0 head 1 rows 64..127: rms error"));
}

TEST_CASE("f32 has its own rule") {
  Values values(DType::f32);
  values.out.set(0, 0, 3, 0, 1 + 0x1p-20);  // 0.95e-6
  CHECK(values.compare().ok);
  values.out.set(0, 0, 3, 0, 1 + 1.1e-6);
  CHECK_FALSE(values.compare().ok);
  values.naive[4] = 1 + 1e-6;
  CHECK(values.compare().ok);
  values.out.set(0, 0, 3, 0, 1 + 5.2e-6);
  CHECK_FALSE(values.compare().ok);
}

TEST_CASE("NaN and infinity never pass, in any place") {
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32}) {
    for (const double bad : {static_cast<double>(kNan), static_cast<double>(kInfinity)}) {
      for (const int64_t row : {0, 63, 64, 199}) {
        Values values(dtype);
        values.naive.assign(1600, 5.0);
        values.out.set(0, 1, row, 3, bad);
        const Comparison comparison = values.compare();
        CHECK_FALSE(comparison.ok);
        CHECK(std::isinf(comparison.worst_ratio));
        CHECK_FALSE(comparison.reason.empty());
      }
    }
  }
}

TEST_CASE("a broken yardstick passes nothing") {
  for (const double bad : {static_cast<double>(kNan), static_cast<double>(kInfinity)}) {
    Values values(DType::bf16);
    values.naive[7] = bad;
    CHECK_FALSE(values.compare().ok);
  }
}

TEST_CASE("sizes must agree") {
  Values values(DType::bf16);
  values.naive.pop_back();
  CHECK_THROWS_AS(values.compare(), Error);
}

TEST_CASE("the LSE rule") {
  AttentionResult reference;
  reference.dims = {1, 2, 2, 8};
  const double minus_infinity = -std::numeric_limits<double>::infinity();
  reference.lse = {0, 100, minus_infinity, -3};
  reference.logit_magnitude = {0, 0x1p10, 0, 4};
  const std::vector<double> exact{0, 100, -kInfinity, -3};
  CHECK(compare_lse(exact, reference).worst_ratio == 0);

  const auto with = [&](size_t index, float value) {
    std::vector<double> lse = exact;
    lse[index] = static_cast<double>(value);
    return compare_lse(lse, reference);
  };
  CHECK(with(0, 0.9e-5f).ok);
  CHECK_FALSE(with(0, 1.1e-5f).ok);
  CHECK(with(1, 100 + 0.95e-3f).ok);  // 1e-5 + 2^-10
  CHECK_FALSE(with(1, 100 + 1.1e-3f).ok);
  CHECK(with(3, -3 + 1.3e-5f).ok);  // 1e-5 + 2^-18
  CHECK_FALSE(with(3, -3 + 1.6e-5f).ok);
  for (const float bad : {kNan, kInfinity, -kInfinity})
    CHECK_FALSE(with(1, bad).ok);
  for (const float bad : {kNan, kInfinity, 0.0f, -1e30f})
    CHECK_FALSE(with(2, bad).ok);
  // f64: 1e-12 + 2^-48 · 4
  const auto f64_with = [&](double value) {
    std::vector<double> lse = exact;
    lse[3] = value;
    return compare_lse(lse, reference, DType::f64);
  };
  CHECK(f64_with(-3 + 0.95e-12).ok);
  CHECK_FALSE(f64_with(-3 + 1.1e-12).ok);
  CHECK_THAT(with(3, 5).reason, ContainsSubstring("lse batch 0 head 1 row 1: got 5, reference -3"));
}

TEST_CASE("worse_of keeps the worse ratio and the worse error") {
  const Comparison a{.ok = true, .worst_ratio = 0.5, .reason = "", .max_abs_error = 3};
  const Comparison b{.ok = false, .worst_ratio = 2, .reason = "b", .max_abs_error = 1};
  for (const Comparison& worse : {worse_of(a, b), worse_of(b, a)}) {
    CHECK_FALSE(worse.ok);
    CHECK(worse.worst_ratio == 2);
    CHECK(worse.reason == "b");
    CHECK(worse.max_abs_error == 3);
  }
}

TEST_CASE("row_softmax: reference and rule") {
  HostTensor x(DType::f32, {1, 2, 3, 4}, Layout::bshd, TensorPadding::fenced(DType::f32));
  x.fill(1000);
  x.set(0, 1, 2, 3, 1000 + std::log(3.0));
  const std::vector<double> reference = reference_row_softmax(x);
  CHECK(std::fabs(reference[0] - 0.25) < 1e-15);
  CHECK(std::fabs(reference[23] - 0.5) < 1e-5);  // log 3 next to 1000 has five digits left in a float
  CHECK(std::fabs(reference[22] - 1.0 / 6) < 1e-5);

  HostTensor y(DType::f32, x.dims());
  y.from_doubles(reference);
  CHECK(compare_row_softmax(y, reference).ok);
  y.set(0, 0, 1, 2, 0.25 + 3e-6);  // 1e-6 + 0.25e-5 are allowed
  CHECK(compare_row_softmax(y, reference).ok);
  y.set(0, 0, 1, 2, 0.25 + 4e-6);
  CHECK_FALSE(compare_row_softmax(y, reference).ok);
  y.set(0, 0, 1, 2, kNan);
  CHECK_THAT(compare_row_softmax(y, reference).reason,
             ContainsSubstring("y batch 0 head 0 row 1 column 2: got nan"));
  CHECK(reference_row_softmax(HostTensor(DType::f32, {1, 1, 5, 0})).empty());
}

// The yardstick: what it rounds and what it does not, and that it passes its own rule.
#include "reference/naive.h"

#include <cmath>
#include <limits>
#include <vector>

#include "reference/compare.h"
#include "reference/element.h"
#include "reference/plain_attention.h"
#include "support/catch.h"

using namespace attune;
using attune_test::float_lse;
using attune_test::output_tensor;
using attune_test::plain_attention;

namespace {

constexpr DType kDTypes[] = {DType::f16, DType::bf16, DType::f32};

}  // namespace

TEST_CASE("naive rounds P before PV and not in the row sum, and O at the end") {
  // Logits 0 and log(p): p is no bf16 value, so the sum keeps it and PV sees the rounded one.
  HostTensor q(DType::bf16, {1, 1, 1, 1}), k(DType::bf16, {1, 1, 2, 1}), v(DType::bf16, {1, 1, 2, 1});
  q.fill(1);
  k.set(0, 0, 1, 0, -0.30078125);
  v.set(0, 0, 1, 0, 1);
  const AttentionResult naive = naive_attention({q, k, v});
  const float p = std::exp(-0.30078125f);
  const auto rounded = static_cast<float>(round_to(DType::bf16, p));
  REQUIRE(rounded != p);
  CHECK(naive.o_at(0, 0, 0, 0) == round_to(DType::bf16, rounded / (1 + p)));
  CHECK(naive.lse_at(0, 0, 0) == static_cast<double>(std::log(1 + p)));
}

TEST_CASE("naive equals plain float loops, bit for bit") {
  for (const DType dtype : kDTypes) {
    for (const Mask mask : {Mask::none, Mask::causal}) {
      HostTensor q(dtype, {1, 2, 70, 59}), k(dtype, {1, 1, 133, 59}), v(dtype, {1, 1, 133, 40});
      q.fill_random(1);
      k.fill_random(2);
      v.fill_random(3);
      const AttentionResult fast = naive_attention({q, k, v, mask}),
                            plain = plain_attention<float>({q, k, v, mask});
      CHECK(fast.o == plain.o);
      CHECK(fast.lse == plain.lse);
    }
  }
}

TEST_CASE("naive outputs are values of the dtype") {
  for (const DType dtype : kDTypes) {
    HostTensor q(dtype, {1, 1, 20, 32}), k(dtype, {1, 1, 30, 32}), v(dtype, {1, 1, 30, 32});
    q.fill_random(1);
    k.fill_random(2);
    v.fill_random(3);
    for (const double o : naive_attention({q, k, v}).o)
      CHECK(o == round_to(dtype, o));
  }
}

TEST_CASE("naive has the same semantics as the reference") {
  HostTensor q(DType::bf16, {1, 1, 10, 32}), k(DType::bf16, {1, 1, 4, 32}), v(DType::bf16, {1, 1, 4, 32});
  q.fill_random(1);
  k.fill_random(2);
  v.fill_random(3);
  const AttentionResult naive = naive_attention({q, k, v, Mask::causal});
  for (int64_t i = 0; i < 6; ++i) {
    CHECK(naive.o_at(0, 0, i, 3) == 0);
    CHECK(naive.lse_at(0, 0, i) == -std::numeric_limits<double>::infinity());
  }
  CHECK(naive.o_at(0, 0, 6, 3) == v.at(0, 0, 0, 3));
  const HostTensor nothing(DType::bf16, {1, 1, 0, 32});
  CHECK(naive_attention({q, nothing, nothing}).o == std::vector<double>(320, 0.0));
}

TEST_CASE("naive passes its own rule") {
  struct Shape {
    int64_t nq, nk, d, dv;
    double deviation;
  };
  for (const DType dtype : kDTypes) {
    for (const Mask mask : {Mask::none, Mask::causal}) {
      for (const Shape& s :
           {Shape{1, 1, 64, 64, 1}, Shape{1, 300, 64, 64, 1}, Shape{128, 128, 64, 64, 1},
            Shape{203, 97, 128, 128, 1}, Shape{97, 203, 59, 59, 1}, Shape{129, 513, 192, 128, 1},
            Shape{100, 100, 64, 64, 300}, Shape{5, 0, 32, 32, 1}}) {
        INFO(name_of(dtype) << " " << name_of(mask) << " " << s.nq << " " << s.nk << " " << s.d << " "
                            << s.deviation);
        HostTensor q(dtype, {1, 2, s.nq, s.d}), k(dtype, {1, 1, s.nk, s.d}), v(dtype, {1, 1, s.nk, s.dv});
        q.fill_random(1, 0, s.deviation);
        k.fill_random(2);
        v.fill_random(3);
        const AttentionInputs in{q, k, v, mask};
        const AttentionResult reference = reference_attention(in), naive = naive_attention(in);
        const Comparison comparison =
            compare_attention(output_tensor(dtype, naive), float_lse(naive), reference, naive);
        INFO(comparison.reason);
        CHECK(comparison.ok);
        CHECK(comparison.worst_ratio <= 0.5);  // naive against 2·naive
      }
    }
  }
}

// The double-precision reference: tiny cases by hand, properties that hold whatever the numbers, and plain
// loops.
#include "reference/attention.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "reference/plain_attention.h"
#include "support/catch.h"

using namespace attune;
using attune_test::plain_attention;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Tensors {
  HostTensor q, k, v;

  AttentionInputs inputs(Mask mask = Mask::none) const { return {q, k, v, mask}; }
};

struct Shape {
  int64_t batch = 1, heads_q = 1, heads_kv = 1, nq = 1, nk = 1, d = 64, dv = 64;
};

Tensors random_tensors(const Shape& s, uint64_t seed = 1, double q_deviation = 1, DType dtype = DType::f32) {
  Tensors t{HostTensor(dtype, {s.batch, s.heads_q, s.nq, s.d}),
            HostTensor(dtype, {s.batch, s.heads_kv, s.nk, s.d}),
            HostTensor(dtype, {s.batch, s.heads_kv, s.nk, s.dv})};
  t.q.fill_random(seed, 0, q_deviation);
  t.k.fill_random(seed + 100);
  t.v.fill_random(seed + 200);
  return t;
}

double worst_difference(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return kInfinity;
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) worst = std::max(worst, std::fabs(a[i] - b[i]));
    if (std::isnan(a[i]) || std::isnan(b[i])) return kInfinity;
  }
  return worst;
}

}  // namespace

TEST_CASE("two keys by hand") {
  // Logits 0.5·(2·1) = 1 and 0.5·(2·3) = 3; probabilities 1/(1+e²) and e²/(1+e²).
  Tensors t{HostTensor(DType::f32, {1, 1, 1, 1}), HostTensor(DType::f32, {1, 1, 2, 1}),
            HostTensor(DType::f32, {1, 1, 2, 1})};
  t.q.set(0, 0, 0, 0, 2);
  t.k.set(0, 0, 0, 0, 1);
  t.k.set(0, 0, 1, 0, 3);
  t.v.set(0, 0, 0, 0, 10);
  t.v.set(0, 0, 1, 0, 20);
  AttentionInputs in = t.inputs();
  in.scale = 0.5f;
  const AttentionResult result = reference_attention(in);
  const double e2 = std::exp(2.0);
  CHECK(std::fabs(result.o_at(0, 0, 0, 0) - (10 + 20 * e2) / (1 + e2)) < 1e-14);
  CHECK(std::fabs(result.lse_at(0, 0, 0) - (1 + std::log(1 + e2))) < 1e-14);
  CHECK(result.logit_magnitude[0] == 3);
}

TEST_CASE("a causal square by hand: the mean of the keys so far") {
  Tensors t{HostTensor(DType::f16, {1, 1, 3, 2}), HostTensor(DType::f16, {1, 1, 3, 2}),
            HostTensor(DType::f16, {1, 1, 3, 1})};
  for (int64_t j = 0; j < 3; ++j)
    t.v.set(0, 0, j, 0, static_cast<double>(3 * j));  // k = 0: all logits are 0
  t.q.fill(1);
  const AttentionResult result = reference_attention(t.inputs(Mask::causal));
  CHECK(worst_difference(result.o, {0, 1.5, 3}) < 1e-15);
  CHECK(worst_difference(result.lse, {0, std::log(2.0), std::log(3.0)}) < 1e-15);
}

TEST_CASE("the default scale is 1/sqrt(D), as a float") {
  const Tensors t = random_tensors({.nq = 3, .nk = 4, .d = 72, .dv = 8});
  AttentionInputs in = t.inputs();
  const AttentionResult by_default = reference_attention(in);
  in.scale = static_cast<float>(1 / std::sqrt(72.0));
  CHECK(by_default.o == reference_attention(in).o);
}

TEST_CASE("the reference equals plain loops") {
  for (const Shape& shape : {Shape{}, Shape{1, 1, 1, 1, 17, 8, 8}, Shape{1, 1, 1, 33, 16, 64, 64},
                             Shape{2, 4, 2, 70, 70, 59, 59}, Shape{1, 3, 1, 5, 300, 32, 48},
                             Shape{1, 2, 2, 300, 129, 40, 111}, Shape{2, 2, 1, 97, 203, 192, 128}}) {
    for (const Mask mask : {Mask::none, Mask::causal}) {
      INFO("Nq " << shape.nq << " Nk " << shape.nk << " D " << shape.d << " Dv " << shape.dv << " "
                 << name_of(mask));
      const Tensors t = random_tensors(shape);
      const AttentionResult fast = reference_attention(t.inputs(mask));
      const AttentionResult plain = plain_attention<double>(t.inputs(mask));
      CHECK(fast.dims == plain.dims);
      CHECK(worst_difference(fast.o, plain.o) < 1e-13);
      CHECK(worst_difference(fast.lse, plain.lse) < 1e-13);
    }
  }
}

TEST_CASE("layout, padding and strides do not matter") {
  const Tensors t = random_tensors({2, 4, 2, 37, 53, 40, 24});
  const AttentionResult expected = reference_attention(t.inputs(Mask::causal));
  const TensorPadding padding = TensorPadding::fenced(DType::f32);
  Tensors fenced{HostTensor(DType::f32, t.q.dims(), Layout::bshd, padding),
                 HostTensor(DType::f32, t.k.dims(), Layout::bhsd, padding),
                 HostTensor(DType::f32, t.v.dims(), HostTensor::Strides{5300, 2650, 49, 2}, 5)};
  fenced.q.from_doubles(t.q.to_doubles());
  fenced.k.from_doubles(t.k.to_doubles());
  fenced.v.from_doubles(t.v.to_doubles());
  const AttentionResult result = reference_attention(fenced.inputs(Mask::causal));
  CHECK(result.o == expected.o);
  CHECK(result.lse == expected.lse);
}

TEST_CASE("probabilities sum to 1") {
  for (const Mask mask : {Mask::none, Mask::causal}) {
    Tensors t = random_tensors({.heads_q = 2, .heads_kv = 2, .nq = 65, .nk = 131, .d = 64, .dv = 5}, 3);
    t.v.fill(1);
    const AttentionResult result = reference_attention(t.inputs(mask));
    for (const double o : result.o)
      CHECK(std::fabs(o - 1) < 1e-14);
  }
}

TEST_CASE("LSE identities") {
  const int64_t n = 60;
  Tensors t = random_tensors({.nq = n, .nk = n, .d = 32, .dv = 32}, 4);
  const AttentionResult result = reference_attention(t.inputs());

  SECTION("the keys in two halves: exp(lse) add up, and outputs mix by them") {
    const auto half = [&](int64_t begin, int64_t end) {
      Tensors h{t.q, HostTensor(DType::f32, {1, 1, end - begin, 32}),
                HostTensor(DType::f32, {1, 1, end - begin, 32})};
      for (int64_t j = begin; j < end; ++j) {
        for (int64_t c = 0; c < 32; ++c) {
          h.k.set(0, 0, j - begin, c, t.k.at(0, 0, j, c));
          h.v.set(0, 0, j - begin, c, t.v.at(0, 0, j, c));
        }
      }
      return reference_attention(h.inputs());
    };
    const AttentionResult first = half(0, 23), second = half(23, n);
    for (int64_t i = 0; i < n; ++i) {
      const double a = std::exp(first.lse_at(0, 0, i)), b = std::exp(second.lse_at(0, 0, i));
      CHECK(std::fabs(std::log(a + b) - result.lse_at(0, 0, i)) < 1e-12);
      for (int64_t c = 0; c < 32; ++c) {
        const double mixed = (a * first.o_at(0, 0, i, c) + b * second.o_at(0, 0, i, c)) / (a + b);
        CHECK(std::fabs(mixed - result.o_at(0, 0, i, c)) < 1e-12);
      }
    }
  }
  SECTION("every key twice: lse grows by log 2, o stays") {
    Tensors twice{t.q, HostTensor(DType::f32, {1, 1, 2 * n, 32}), HostTensor(DType::f32, {1, 1, 2 * n, 32})};
    for (int64_t j = 0; j < 2 * n; ++j) {
      for (int64_t c = 0; c < 32; ++c) {
        twice.k.set(0, 0, j, c, t.k.at(0, 0, j % n, c));
        twice.v.set(0, 0, j, c, t.v.at(0, 0, j % n, c));
      }
    }
    const AttentionResult doubled = reference_attention(twice.inputs());
    CHECK(worst_difference(doubled.o, result.o) < 1e-13);
    for (int64_t i = 0; i < n; ++i)
      CHECK(std::fabs(doubled.lse_at(0, 0, i) - result.lse_at(0, 0, i) - std::log(2.0)) < 1e-13);
  }
  SECTION("the magnitude bounds every logit, and lse stays within log Nk of the largest") {
    for (int64_t i = 0; i < n; ++i) {
      CHECK(result.lse_at(0, 0, i) <= result.logit_magnitude[static_cast<size_t>(i)] + std::log(n));
    }
  }
}

TEST_CASE("without a mask the order of the keys does not matter") {
  const int64_t n = 77;
  Tensors t = random_tensors({.nq = 9, .nk = n, .d = 32, .dv = 32}, 5);
  Tensors permuted = t;
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t c = 0; c < 32; ++c) {
      permuted.k.set(0, 0, j * 10 % n, c, t.k.at(0, 0, j, c));  // 10 and 77 have no common factor
      permuted.v.set(0, 0, j * 10 % n, c, t.v.at(0, 0, j, c));
    }
  }
  const AttentionResult a = reference_attention(t.inputs()), b = reference_attention(permuted.inputs());
  CHECK(worst_difference(a.o, b.o) < 1e-14);
  CHECK(worst_difference(a.lse, b.lse) < 1e-14);
  CHECK(worst_difference(reference_attention(t.inputs(Mask::causal)).o,
                         reference_attention(permuted.inputs(Mask::causal)).o) > 0.1);
}

TEST_CASE("causal: the first row of a square sees the first key, the last row sees all") {
  const Tensors t = random_tensors({.nq = 40, .nk = 40, .d = 16, .dv = 16}, 6);
  const AttentionResult causal = reference_attention(t.inputs(Mask::causal)),
                        full = reference_attention(t.inputs());
  for (int64_t c = 0; c < 16; ++c) {
    CHECK(causal.o_at(0, 0, 0, c) == t.v.at(0, 0, 0, c));
    CHECK(causal.o_at(0, 0, 39, c) == full.o_at(0, 0, 39, c));
  }
}

TEST_CASE("causal aligns to the bottom right") {
  SECTION("fewer queries than keys: they are the last rows of a square") {
    const Tensors square = random_tensors({.nq = 50, .nk = 50, .d = 16, .dv = 16}, 7);
    Tensors tail = square;
    tail.q = HostTensor(DType::f32, {1, 1, 12, 16});
    for (int64_t i = 0; i < 12; ++i) {
      for (int64_t c = 0; c < 16; ++c)
        tail.q.set(0, 0, i, c, square.q.at(0, 0, i + 38, c));
    }
    const AttentionResult a = reference_attention(square.inputs(Mask::causal)),
                          b = reference_attention(tail.inputs(Mask::causal));
    for (int64_t i = 0; i < 12; ++i)
      CHECK(b.lse_at(0, 0, i) == a.lse_at(0, 0, i + 38));
  }
  SECTION("more queries than keys: the first rows see nothing") {
    const Tensors t = random_tensors({.nq = 100, .nk = 37, .d = 16, .dv = 16}, 8);
    const AttentionResult result = reference_attention(t.inputs(Mask::causal));
    for (int64_t i = 0; i < 63; ++i) {
      CHECK(result.lse_at(0, 0, i) == -kInfinity);
      CHECK(result.logit_magnitude[static_cast<size_t>(i)] == 0);
      for (int64_t c = 0; c < 16; ++c)
        CHECK(result.o_at(0, 0, i, c) == 0);
    }
    for (int64_t c = 0; c < 16; ++c)
      CHECK(result.o_at(0, 0, 63, c) == t.v.at(0, 0, 0, c));
  }
}

TEST_CASE("query head h reads kv head h / (Hq / Hkv)") {
  const Tensors t =
      random_tensors({.batch = 2, .heads_q = 6, .heads_kv = 2, .nq = 5, .nk = 7, .d = 16, .dv = 16}, 9);
  Tensors expanded{t.q, HostTensor(DType::f32, {2, 6, 7, 16}), HostTensor(DType::f32, {2, 6, 7, 16})};
  for (int64_t b = 0; b < 2; ++b) {
    for (int64_t h = 0; h < 6; ++h) {
      for (int64_t j = 0; j < 7; ++j) {
        for (int64_t c = 0; c < 16; ++c) {
          expanded.k.set(b, h, j, c, t.k.at(b, h / 3, j, c));
          expanded.v.set(b, h, j, c, t.v.at(b, h / 3, j, c));
        }
      }
    }
  }
  const AttentionResult grouped = reference_attention(t.inputs()),
                        full = reference_attention(expanded.inputs());
  CHECK(grouped.o == full.o);
  CHECK(grouped.lse == full.lse);
}

TEST_CASE("logits around 1000 neither overflow nor vanish") {
  // Every logit of row 0 is near +1000, of row 1 near -1000.
  Tensors t = random_tensors({.nq = 2, .nk = 50, .d = 16, .dv = 16}, 10);
  for (int64_t c = 0; c < 16; ++c) {
    t.q.set(0, 0, 0, c, 250);
    t.q.set(0, 0, 1, c, -250);
    for (int64_t j = 0; j < 50; ++j)
      t.k.set(0, 0, j, c, 1 + 0.001 * t.k.at(0, 0, j, c));
  }
  const AttentionResult result = reference_attention(t.inputs());
  CHECK(std::fabs(result.lse_at(0, 0, 0) - 1000) < 10);
  CHECK(std::fabs(result.lse_at(0, 0, 1) + 1000) < 10);
  CHECK(worst_difference(result.o, plain_attention<double>(t.inputs()).o) < 1e-12);
}

TEST_CASE("no keys: O = 0 and LSE = -inf; no queries or batch: nothing") {
  for (const Mask mask : {Mask::none, Mask::causal}) {
    const AttentionResult result =
        reference_attention(random_tensors({.nq = 3, .nk = 0, .d = 8, .dv = 8}).inputs(mask));
    CHECK(result.o == std::vector<double>(24, 0.0));
    CHECK(result.lse == std::vector<double>(3, -kInfinity));
    CHECK(reference_attention(random_tensors({.nq = 0, .nk = 5}).inputs(mask)).o.empty());
    CHECK(reference_attention(random_tensors({.batch = 0, .nq = 2, .nk = 5}).inputs(mask)).lse.empty());
  }
}

TEST_CASE("shapes that do not fit together are refused") {
  const Tensors t = random_tensors({.heads_q = 4, .heads_kv = 2, .nq = 3, .nk = 4, .d = 16, .dv = 8});
  const HostTensor three_heads(DType::f32, {1, 3, 4, 16}), other_keys(DType::f32, {1, 2, 5, 8}),
      other_dtype(DType::f16, {1, 2, 4, 8});
  CHECK_THROWS_AS(reference_attention({t.q, three_heads, three_heads}), Error);
  CHECK_THROWS_AS(reference_attention({t.q, t.k, other_keys}), Error);
  CHECK_THROWS_AS(reference_attention({t.q, t.k, other_dtype}), Error);
  CHECK_THROWS_AS(reference_attention({t.v, t.k, t.v}), Error);
}

// The gradients' reference against differences of the forward reference, its semantics, and the rule that
// judges gradients against planted errors.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "reference/element.h"
#include "reference/gradient_inputs.h"
#include "support/catch.h"

using namespace attune;
using namespace attune_test;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Fourth-order central differences of the loss by every element of `tensor`.
std::vector<double> differences(const Tensors& tensors, HostTensor& tensor) {
  constexpr double kStep = 1e-3;
  const std::vector<double> values = tensor.to_doubles();
  std::vector<double> result, moved = values;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto loss_at = [&](double step) {
      moved[i] = values[i] + step;
      tensor.from_doubles(moved);
      return tensors.loss();
    };
    const long double near = loss_at(kStep) - loss_at(-kStep), far = loss_at(2 * kStep) - loss_at(-2 * kStep);
    result.push_back(static_cast<double>((8 * near - far) / (12 * static_cast<long double>(kStep))));
    moved[i] = values[i];
  }
  tensor.from_doubles(values);
  return result;
}

double worst_difference(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return kInfinity;
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::fabs(a[i] - b[i]));
  return worst;
}

double largest(const std::vector<double>& values) {
  double result = 0;
  for (const double value : values)
    result = std::max(result, std::fabs(value));
  return result;
}

}  // namespace

TEST_CASE("the gradients equal fourth-order differences of the forward pass") {
  for (const Shape& shape :
       {Shape{1, 2, 1, 5, 7, 4, 3}, Shape{2, 2, 2, 6, 4, 3, 5}, Shape{1, 1, 1, 3, 3, 8, 8}}) {
    for (const Mask mask : {Mask::none, Mask::causal, Mask::causal_top_left}) {
      INFO("Nq " << shape.nq << " Nk " << shape.nk << " " << name_of(mask));
      Tensors t(DType::f64, shape, mask);
      const GradientResult gradient = reference_gradient(t.inputs());
      const double scale = std::max({largest(gradient.dq), largest(gradient.dk), largest(gradient.dv)});
      CHECK(worst_difference(gradient.dq, differences(t, t.q)) <= 1e-8 * scale);
      CHECK(worst_difference(gradient.dk, differences(t, t.k)) <= 1e-8 * scale);
      CHECK(worst_difference(gradient.dv, differences(t, t.v)) <= 1e-8 * scale);
    }
  }
}

TEST_CASE("rows that see no key have no gradient and give none") {
  // Under the causal mask the first three queries see nothing; whatever stands in their rows is not read.
  Tensors t(DType::f32, {1, 2, 1, 5, 2, 8, 8}, Mask::causal);
  const GradientResult before = reference_gradient(t.inputs());
  for (int64_t head = 0; head < 2; ++head) {
    for (int64_t row = 0; row < 3; ++row) {
      CHECK(t.lse[static_cast<size_t>(head * 5 + row)] == -kInfinity);
      t.dlse[static_cast<size_t>(head * 5 + row)] = std::numeric_limits<double>::quiet_NaN();
      for (int64_t c = 0; c < 8; ++c)
        t.dout.set(0, head, row, c, std::numeric_limits<double>::quiet_NaN());
    }
  }
  const GradientResult after = reference_gradient(t.inputs());
  CHECK(after.dk == before.dk);
  CHECK(after.dv == before.dv);
  CHECK(after.dq == before.dq);
  for (size_t i = 0; i < 3 * 8; ++i)
    CHECK(after.dq[i] == 0);
}

TEST_CASE("no keys, no queries") {
  const Tensors no_keys(DType::f32, {1, 1, 1, 4, 0, 8, 8}, Mask::none);
  const GradientResult of_no_keys = reference_gradient(no_keys.inputs());
  CHECK(of_no_keys.dq == std::vector<double>(32, 0.0));
  CHECK(of_no_keys.dk.empty());
  const Tensors no_queries(DType::f32, {2, 2, 1, 0, 3, 8, 4}, Mask::none);
  const GradientResult of_no_queries = reference_gradient(no_queries.inputs());
  CHECK(of_no_queries.dq.empty());
  CHECK(of_no_queries.dk == std::vector<double>(48, 0.0));
  CHECK(of_no_queries.dv == std::vector<double>(24, 0.0));
}

TEST_CASE("dK and dV of a group are the sums over its heads") {
  const Shape shared{1, 3, 1, 9, 11, 8, 4};
  Tensors group(DType::f64, shared, Mask::causal);
  const GradientResult of_group = reference_gradient(group.inputs());
  Shape apart = shared;
  apart.heads_kv = 3;
  Tensors heads(DType::f64, apart, Mask::causal);
  for (int64_t head = 0; head < 3; ++head) {
    for (int64_t row = 0; row < shared.nk; ++row) {
      for (int64_t c = 0; c < shared.d; ++c)
        heads.k.set(0, head, row, c, group.k.at(0, 0, row, c));
      for (int64_t c = 0; c < shared.dv; ++c)
        heads.v.set(0, head, row, c, group.v.at(0, 0, row, c));
    }
  }
  heads.o = group.o;
  heads.lse = group.lse;
  const GradientResult of_heads = reference_gradient(heads.inputs());
  CHECK(of_heads.dq == of_group.dq);
  for (size_t i = 0; i < of_group.dk.size(); ++i) {
    const size_t n = of_group.dk.size();
    CHECK(std::fabs(of_heads.dk[i] + of_heads.dk[i + n] + of_heads.dk[i + 2 * n] - of_group.dk[i]) < 1e-14);
  }
}

TEST_CASE("the yardstick of gradients rounds P and dS, and each gradient once, and passes its own rule") {
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32, DType::f64}) {
    for (const double deviation : {1.0, 40.0}) {
      const Tensors t(dtype, {1, 2, 1, 97, 131, 32, 24}, Mask::causal, deviation);
      const GradientResult reference = reference_gradient(t.inputs()), naive = naive_gradient(t.inputs());
      for (const auto* gradient : {&naive.dq, &naive.dk, &naive.dv}) {
        for (const double value : *gradient)
          CHECK(value == round_to(dtype, value));
      }
      const Comparison comparison = compare_all(t, naive, reference, naive);
      INFO(name_of(dtype) << " " << comparison.reason);
      CHECK(comparison.worst_ratio <= 0.5);
    }
  }
}

TEST_CASE("the yardstick of gradients multiplies the rounded P") {
  // One query, two keys, logits 0 and log(p): P = 1/(1+p) and p/(1+p), neither of them a bf16 value.
  Tensors t(DType::bf16, {1, 1, 1, 1, 2, 1, 1}, Mask::none);
  t.q.fill(1);
  t.k.set(0, 0, 0, 0, 0);
  t.k.set(0, 0, 1, 0, -0.30078125);
  t.dout.fill(1);
  t.lse = {std::log(1 + std::exp(-0.30078125))};
  const double p = 1 / (1 + std::exp(-0.30078125));
  REQUIRE(round_to(DType::bf16, p) != p);
  CHECK(naive_gradient(t.inputs()).dv[0] == round_to(DType::bf16, p));
  CHECK(std::fabs(reference_gradient(t.inputs()).dv[0] - p) < 1e-15);
}

namespace {

// Faults of a kernel, planted by giving the yardstick other inputs or by moving its outputs.
void for_each_trial(const std::function<void(Tensors&, const GradientResult&, const GradientResult&)>& body) {
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32}) {
    for (const int64_t n : {128, 256}) {
      for (const Mask mask : {Mask::none, Mask::causal}) {
        INFO(name_of(dtype) << " N " << n << " " << name_of(mask));
        Tensors t(dtype, {1, 1, 1, n, n, 64, 64}, mask);
        body(t, reference_gradient(t.inputs()), naive_gradient(t.inputs()));
      }
    }
  }
}

// Takes away from the yardstick what the pairs that `lost` names add to it.
GradientResult without(const Tensors& t, const GradientResult& naive,
                       const std::function<bool(int64_t i, int64_t j)>& lost) {
  GradientResult result = naive;
  const int64_t n = t.q.rows(), d = t.q.columns();
  const double scale = default_scale(d, t.q.dtype());
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= (t.mask == Mask::none ? n - 1 : i); ++j) {
      if (!lost(i, j)) continue;
      double s = 0, dp = 0;
      for (int64_t c = 0; c < d; ++c) {
        s += t.q.at(0, 0, i, c) * t.k.at(0, 0, j, c);
        dp += t.dout.at(0, 0, i, c) * t.v.at(0, 0, j, c);
      }
      const auto row = static_cast<size_t>(i);
      double delta = -t.dlse[row];
      for (int64_t c = 0; c < d; ++c)
        delta += t.dout.at(0, 0, i, c) * t.o.at(0, 0, i, c);
      const double p = std::exp(s * scale - t.lse[row]), ds = p * (dp - delta) * scale;
      for (int64_t c = 0; c < d; ++c) {
        result.dq[static_cast<size_t>(i * d + c)] -= ds * t.k.at(0, 0, j, c);
        result.dk[static_cast<size_t>(j * d + c)] -= ds * t.q.at(0, 0, i, c);
        result.dv[static_cast<size_t>(j * d + c)] -= p * t.dout.at(0, 0, i, c);
      }
    }
  }
  return result;
}

}  // namespace

TEST_CASE("each gradient shows one key lost in the second half of the rows") {
  for_each_trial([](Tensors& t, const GradientResult& reference, const GradientResult& naive) {
    const int64_t n = t.q.rows();
    for (const int64_t key : {int64_t{0}, n / 4, n / 2}) {
      const GradientResult wrong =
          without(t, naive, [&](int64_t i, int64_t j) { return i >= n / 2 && j == key; });
      CHECK(compare_gradient("dq", tensor_of(t.q, wrong.dq), reference, naive).worst_ratio > 1.5);
      CHECK(compare_gradient("dk", tensor_of(t.k, wrong.dk), reference, naive).worst_ratio > 2);
      CHECK(compare_gradient("dv", tensor_of(t.v, wrong.dv), reference, naive).worst_ratio > 2);
    }
  });
}

TEST_CASE("each gradient shows a dropped diagonal") {
  for_each_trial([](Tensors& t, const GradientResult& reference, const GradientResult& naive) {
    const GradientResult wrong = without(t, naive, [](int64_t i, int64_t j) { return i == j; });
    CHECK(compare_gradient("dq", tensor_of(t.q, wrong.dq), reference, naive).worst_ratio > 1.5);
    CHECK(compare_gradient("dk", tensor_of(t.k, wrong.dk), reference, naive).worst_ratio > 1.5);
    CHECK(compare_gradient("dv", tensor_of(t.v, wrong.dv), reference, naive).worst_ratio > 1.5);
  });
}

TEST_CASE("each gradient shows one row swapped with its neighbour") {
  for_each_trial([](Tensors& t, const GradientResult& reference, const GradientResult& naive) {
    const int64_t d = t.q.columns(), row = t.q.rows() / 2 + 3;
    GradientResult wrong = naive;
    for (std::vector<double>* gradient : {&wrong.dq, &wrong.dk, &wrong.dv})
      std::swap_ranges(gradient->data() + row * d, gradient->data() + (row + 1) * d,
                       gradient->data() + (row + 1) * d);
    CHECK(compare_gradient("dq", tensor_of(t.q, wrong.dq), reference, naive).worst_ratio > 2);
    CHECK(compare_gradient("dk", tensor_of(t.k, wrong.dk), reference, naive).worst_ratio > 2);
    CHECK(compare_gradient("dv", tensor_of(t.v, wrong.dv), reference, naive).worst_ratio > 2);
  });
}

TEST_CASE("the gradients together show a scale off by one per cent") {
  for_each_trial([](Tensors& t, const GradientResult& reference, const GradientResult& naive) {
    for (const double factor : {0.99, 1.01}) {
      GradientInputs inputs = t.inputs();
      inputs.forward.scale = factor * default_scale(t.q.columns(), t.q.dtype());
      CHECK(compare_all(t, naive_gradient(inputs), reference, naive).worst_ratio > 1);
    }
  });
}

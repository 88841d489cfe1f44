// The rule for gradients where dP and delta take each other away: with one key, or one query, what is left is
// often rounding alone. Whatever order a correct kernel sums in, it passes; a wrong one does not.
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <map>
#include <vector>

#include "reference/element.h"
#include "reference/gradient_inputs.h"
#include "support/catch.h"

using namespace attune;
using namespace attune_test;

namespace {

struct KernelFault {
  bool without_delta = false;
  bool without_dlse = false;
  int64_t keys_lost = 0;  // by every row, its last ones; -1: one more is seen
};

// Sums strictly in order in each lane, and the lanes at the end: 1 is a plain loop, 32 a warp.
template <typename Real>
Real dot(const HostTensor& a, int64_t row_a, const HostTensor& b, int64_t row_b, int lanes) {
  std::vector<Real> sums(static_cast<size_t>(lanes));
  for (int64_t c = 0; c < a.columns(); ++c) {
    Real& sum = sums[static_cast<size_t>(c % lanes)];
    sum = std::fma(static_cast<Real>(a.at(0, 0, row_a, c)), static_cast<Real>(b.at(0, 0, row_b, c)), sum);
  }
  Real result = 0;
  for (const Real sum : sums)
    result += sum;
  return result;
}

// In how many lanes dP and delta are summed. Two kernels compute them: where there is one key, equal orders
// would give equal bits, and take each other away without a trace.
struct Lanes {
  int dp = 1, delta = 4;
};

// One head's gradients as kernels compute them: base 2, sums in lanes, rows from the last to the first.
template <typename Real>
GradientResult kernel_gradient(const Tensors& t, const Lanes& lanes, const KernelFault& fault = {}) {
  constexpr Real kLog2E = static_cast<Real>(1.4426950408889634074L);
  const int64_t nq = t.q.rows(), nk = t.k.rows(), d = t.q.columns(), dv = t.v.columns();
  const Real scale = static_cast<Real>(default_scale(d, t.q.dtype()));
  const auto rounded = [&](Real value) { return static_cast<Real>(round_to(t.q.dtype(), value)); };
  std::vector<Real> dq(static_cast<size_t>(nq * d)), dk(static_cast<size_t>(nk * d)),
      dv_sum(static_cast<size_t>(nk * dv));
  for (int64_t i = nq - 1; i >= 0; --i) {
    const auto row = static_cast<size_t>(i);
    if (t.lse[row] == -std::numeric_limits<double>::infinity()) continue;
    Real delta = fault.without_delta ? Real(0) : dot<Real>(t.dout, i, t.o, i, lanes.delta);
    if (!fault.without_dlse) delta -= static_cast<Real>(t.dlse[row]);
    const Real lse = static_cast<Real>(t.lse[row]) * kLog2E;
    const int64_t seen = t.mask == Mask::none ? nk : i + 1 + nk - nq;
    for (int64_t j = 0; j < std::min(nk, seen - fault.keys_lost); ++j) {
      const Real p = std::exp2(std::fma(dot<Real>(t.q, i, t.k, j, lanes.dp), scale * kLog2E, -lse));
      const Real ds = rounded(p * (dot<Real>(t.dout, i, t.v, j, lanes.dp) - delta));
      for (int64_t c = 0; c < d; ++c) {
        dq[static_cast<size_t>(i * d + c)] += ds * static_cast<Real>(t.k.at(0, 0, j, c));
        dk[static_cast<size_t>(j * d + c)] += ds * static_cast<Real>(t.q.at(0, 0, i, c));
      }
      for (int64_t c = 0; c < dv; ++c)
        dv_sum[static_cast<size_t>(j * dv + c)] += rounded(p) * static_cast<Real>(t.dout.at(0, 0, i, c));
    }
  }
  GradientResult result;
  for (const Real value : dq)
    result.dq.push_back(static_cast<double>(value * scale));
  for (const Real value : dk)
    result.dk.push_back(static_cast<double>(value * scale));
  result.dv.assign(dv_sum.begin(), dv_sum.end());
  return result;
}

GradientResult kernel_gradient_of(const Tensors& t, const Lanes& lanes, const KernelFault& fault = {}) {
  return t.q.dtype() == DType::f64 ? kernel_gradient<double>(t, lanes, fault)
                                   : kernel_gradient<float>(t, lanes, fault);
}

struct Lengths {
  int64_t q, k;
};

// `body` takes inputs, reference and yardstick of each problem, with gradients of lse and without.
template <typename Body>
void for_each_problem(std::initializer_list<Lengths> lengths, Mask mask, const Body& body) {
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32, DType::f64}) {
    for (const int64_t d : {64, 128}) {
      for (const Lengths& n : lengths) {
        for (const bool with_dlse : {false, true}) {
          for (const uint64_t seed : {1, 11}) {
            INFO(name_of(dtype) << " D " << d << " Nq " << n.q << " Nk " << n.k << " seed " << seed
                                << (with_dlse ? " with dlse" : ""));
            Tensors t(dtype, {1, 1, 1, n.q, n.k, d, d}, mask, 1, seed);
            if (!with_dlse) t.dlse.assign(t.dlse.size(), 0);
            body(t, reference_gradient(t.inputs()), naive_gradient(t.inputs()));
          }
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("a correct kernel passes where everything cancels, in whatever order it sums") {
  std::map<DType, int> refused_without_terms;
  std::map<DType, double> worst;
  for_each_problem({{1, 1}, {2, 1}, {113, 1}, {400, 1}, {1, 97}, {1, 400}}, Mask::none,
                   [&](const Tensors& t, const GradientResult& reference, const GradientResult& naive) {
                     for (const Lanes& lanes : {Lanes{1, 4}, {1, 8}, {2, 32}, {8, 4}, {32, 1}}) {
                       const GradientResult got = kernel_gradient_of(t, lanes);
                       const Comparison comparison = compare_all(t, got, reference, naive);
                       INFO(lanes.dp << " and " << lanes.delta << " lanes: " << comparison.reason);
                       CHECK(comparison.ok);
                       worst[t.q.dtype()] = std::max(worst[t.q.dtype()], comparison.worst_ratio);
                       GradientResult no_terms = reference;
                       no_terms.query_terms.clear();
                       no_terms.key_terms.clear();
                       refused_without_terms[t.q.dtype()] += !compare_all(t, got, no_terms, naive).ok;
                     }
                   });
  for (const auto& [dtype, refused] : refused_without_terms) {
    INFO(name_of(dtype));
    CHECK(worst[dtype] < 0.5);
    // The yardstick sums dP and delta in one order, so that their roundings, too, take each other away: its
    // error is no measure.
    CHECK(refused > 0);
  }
}

TEST_CASE("where everything cancels a lost delta, a lost dlse and a lost key are found") {
  for_each_problem({{1, 1}, {113, 1}, {1, 97}, {97, 3}}, Mask::none,
                   [](const Tensors& t, const GradientResult& reference, const GradientResult& naive) {
                     const auto dq_of = [&](const KernelFault& fault) {
                       const GradientResult got = kernel_gradient_of(t, {}, fault);
                       return compare_gradient("dq", tensor_of(t.q, got.dq), reference, naive).worst_ratio;
                     };
                     const auto dk_of = [&](const KernelFault& fault) {
                       const GradientResult got = kernel_gradient_of(t, {}, fault);
                       return compare_gradient("dk", tensor_of(t.k, got.dk), reference, naive).worst_ratio;
                     };
                     // The delta of a single row may be less than what 16 bits round.
                     if (size_of(t.q.dtype()) == 2 && t.q.rows() == 1 && t.k.rows() > 1) return;
                     CHECK(dq_of({.without_delta = true}) > 2);
                     CHECK(dk_of({.without_delta = true}) > 2);
                     const GradientResult lost = kernel_gradient_of(t, {}, {.keys_lost = 1});
                     CHECK(compare_all(t, lost, reference, naive).worst_ratio > 2);
                     if (t.dlse.back() == 0) return;
                     CHECK(dq_of({.without_dlse = true}) > 2);
                     CHECK(dk_of({.without_dlse = true}) > 2);
                   });
}

TEST_CASE("where few rows see a key, a causal mask that is off by one key is found") {
  for_each_problem({{113, 1}, {97, 3}, {3, 97}, {65, 64}}, Mask::causal,
                   [](const Tensors& t, const GradientResult& reference, const GradientResult& naive) {
                     CHECK(compare_all(t, kernel_gradient_of(t, {}), reference, naive).ok);
                     const GradientResult lost = kernel_gradient_of(t, {}, {.keys_lost = 1});
                     CHECK(compare_all(t, lost, reference, naive).worst_ratio > 2);
                     if (t.q.rows() > t.k.rows()) return;
                     const GradientResult seen = kernel_gradient_of(t, {}, {.keys_lost = -1});
                     CHECK(compare_all(t, seen, reference, naive).worst_ratio > 2);
                   });
}

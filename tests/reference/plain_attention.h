// Attention written a second time, as three plain loops that share nothing with lib/reference, and with
// places to put faults into. Slow.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/parallel.h"
#include "problem/problem.h"
#include "reference/attention.h"
#include "reference/element.h"
#include "reference/tensor.h"

namespace attune_test {

// Query i of nq sees key j of nk.
inline bool visible(attune::Mask mask, int64_t i, int64_t j, int64_t nq, int64_t nk) {
  return mask == attune::Mask::none || j - nk <= i - nq;
}

struct Fault {
  std::function<bool(int64_t i, int64_t j)> lost = [](int64_t, int64_t) { return false; };
  double scale_factor = 1;
};

// In `Real`; P and O are rounded to the dtype of the inputs unless Real is double.
template <typename Real>
class PlainAttention {
 public:
  PlainAttention(const attune::AttentionInputs& in, const Fault& fault)
      : in_(in), fault_(fault), q_(values(in.q)), k_(values(in.k)), v_(values(in.v)) {
    const float default_scale = static_cast<float>(1 / std::sqrt(static_cast<double>(d_)));
    scale_ = static_cast<Real>(fault.scale_factor * in.scale.value_or(default_scale));
    result_.dims = {in.q.batch(), in.q.heads(), nq_, dv_};
    result_.o.resize(static_cast<size_t>(in.q.batch() * in.q.heads() * nq_ * dv_));
    result_.lse.resize(static_cast<size_t>(in.q.batch() * in.q.heads() * nq_));
  }

  attune::AttentionResult run() {
    attune::parallel_for(std::ssize(result_.lse), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row)
        run_row(row);
    });
    return std::move(result_);
  }

 private:
  static std::vector<Real> values(const attune::HostTensor& tensor) {
    const std::vector<double> doubles = tensor.to_doubles();
    return {doubles.begin(), doubles.end()};
  }

  Real round(Real x) const {
    return std::is_same_v<Real, double> ? x : static_cast<Real>(attune::round_to(in_.q.dtype(), x));
  }

  void run_row(int64_t row) {
    const int64_t i = row % nq_;
    // Both sides count their heads over all batches, so the group gives the kv head of any batch.
    const int64_t kv_head = row / nq_ / (in_.q.heads() / in_.k.heads());
    std::vector<std::pair<int64_t, Real>> p;  // the keys seen, with their logits
    Real maximum = -std::numeric_limits<Real>::infinity();
    for (int64_t j = 0; j < nk_; ++j) {
      if (!visible(in_.mask, i, j, nq_, nk_) || fault_.lost(i, j)) continue;
      const Real* q = q_.data() + row * d_;
      const Real* k = k_.data() + (kv_head * nk_ + j) * d_;
      Real s = 0;
      for (int64_t c = 0; c < d_; ++c)
        s += q[c] * k[c];
      p.emplace_back(j, s * scale_);
      maximum = std::max(maximum, s * scale_);
    }
    Real sum = 0;
    std::vector<Real> o(static_cast<size_t>(dv_));
    for (const auto& [j, logit] : p) {
      const Real x = std::exp(logit - maximum);
      const Real rounded = round(x);
      const Real* v = v_.data() + (kv_head * nk_ + j) * dv_;
      sum += x;
      for (size_t c = 0; c < o.size(); ++c)
        o[c] += rounded * v[c];
    }
    double* out = result_.o.data() + row * dv_;
    for (size_t c = 0; c < o.size(); ++c)
      out[c] = p.empty() ? 0 : static_cast<double>(round(o[c] / sum));
    result_.lse[static_cast<size_t>(row)] = static_cast<double>(maximum + std::log(sum));
  }

  const attune::AttentionInputs& in_;
  const Fault& fault_;
  std::vector<Real> q_, k_, v_;
  int64_t nq_ = in_.q.rows(), nk_ = in_.k.rows(), d_ = in_.q.columns(), dv_ = in_.v.columns();
  Real scale_ = 0;
  attune::AttentionResult result_;
};

template <typename Real>
attune::AttentionResult plain_attention(const attune::AttentionInputs& in, const Fault& fault = {}) {
  return PlainAttention<Real>(in, fault).run();
}

inline attune::HostTensor output_tensor(attune::DType dtype, const attune::AttentionResult& result) {
  attune::HostTensor o(dtype, result.dims);
  o.from_doubles(result.o);
  return o;
}

inline std::vector<double> float_lse(const attune::AttentionResult& result) {
  const std::vector<float> rounded(result.lse.begin(), result.lse.end());  // as a kernel stores it
  return {rounded.begin(), rounded.end()};
}

}  // namespace attune_test

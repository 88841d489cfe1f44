// Inputs of a backward pass, for the tests of the gradients' reference and of the rule that judges them.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "reference/attention_gradient.h"

namespace attune_test {

struct Shape {
  int64_t batch = 1, heads_q = 1, heads_kv = 1, nq = 1, nk = 1, d = 8, dv = 8;
};

// Inputs of a backward pass with the o and lse that belong to them.
struct Tensors {
  attune::HostTensor q, k, v, o, dout;
  std::vector<double> lse, dlse;
  attune::Mask mask;

  Tensors(attune::DType dtype, const Shape& s, attune::Mask mask_, double q_deviation = 1, uint64_t seed = 1)
      : q(dtype, {s.batch, s.heads_q, s.nq, s.d}),
        k(dtype, {s.batch, s.heads_kv, s.nk, s.d}),
        v(dtype, {s.batch, s.heads_kv, s.nk, s.dv}),
        o(dtype, {s.batch, s.heads_q, s.nq, s.dv}),
        dout(dtype, {s.batch, s.heads_q, s.nq, s.dv}),
        mask(mask_) {
    q.fill_random(seed, 0, q_deviation);
    k.fill_random(seed + 1);
    v.fill_random(seed + 2);
    dout.fill_random(seed + 3);
    const attune::AttentionResult forward = attune::reference_attention(attention());
    o.from_doubles(forward.o);
    lse = forward.lse;
    for (size_t i = 0; i < lse.size(); ++i)
      dlse.push_back(std::sin(static_cast<double>(i)));
  }
  attune::AttentionInputs attention() const { return {q, k, v, mask}; }
  attune::GradientInputs inputs() const { return {attention(), o, dout, lse, dlse}; }

  // What the gradients are of: sum(dO ∘ O) + sum(dlse · lse) over the rows that see a key.
  long double loss() const {
    const attune::AttentionResult forward = attune::reference_attention(attention());
    const std::vector<double> weights = dout.to_doubles();
    long double sum = 0;
    for (size_t i = 0; i < weights.size(); ++i)
      sum += static_cast<long double>(weights[i]) * static_cast<long double>(forward.o[i]);
    for (size_t i = 0; i < dlse.size(); ++i) {
      if (forward.lse[i] != -std::numeric_limits<double>::infinity())
        sum += static_cast<long double>(dlse[i]) * static_cast<long double>(forward.lse[i]);
    }
    return sum;
  }
};

inline attune::HostTensor tensor_of(const attune::HostTensor& like, const std::vector<double>& values) {
  attune::HostTensor tensor(like.dtype(), like.dims());
  tensor.from_doubles(values);
  return tensor;
}

// The worst of the three gradients.
inline attune::Comparison compare_all(const Tensors& t, const attune::GradientResult& got,
                                      const attune::GradientResult& reference,
                                      const attune::GradientResult& naive) {
  return attune::worse_of(compare_gradient("dq", tensor_of(t.q, got.dq), reference, naive),
                          attune::worse_of(compare_gradient("dk", tensor_of(t.k, got.dk), reference, naive),
                                           compare_gradient("dv", tensor_of(t.v, got.dv), reference, naive)));
}

}  // namespace attune_test

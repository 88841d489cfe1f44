// Attention backward on the CPU, as a function of what a kernel is given: in double precision (long double
// for f64), the reference of "Correct means", and as a plain kernel would compute it, the yardstick.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "reference/attention.h"
#include "reference/compare.h"

namespace attune {

// o and lse are taken as they are given, rounded or not, since a kernel cannot know better: the gradients are
//   P = exp(scale · QK' - lse),  delta = rowsum(dO ∘ O) - dlse,  dS = P ∘ (dO·V' - delta),
//   dQ = scale · dS·K,  dK = scale · dS'·Q,  dV = P'·dO, with dK and dV summed over the heads of a group.
struct GradientInputs {
  AttentionInputs forward;
  const HostTensor& o;           // [B, Hq, Nq, Dv], of any dtype
  const HostTensor& dout;        // the same shape
  std::span<const double> lse;   // [B, Hq, Nq]; a row of -inf saw no key and has no gradient
  std::span<const double> dlse;  // the same; empty: zero
};

struct GradientResult {
  std::vector<double> dq, dk, dv;       // contiguous, of the shapes of q, k and v
  std::vector<double> query_magnitude;  // [B, Hq, Nq]: max over the visible keys of |scale|·Σ|q_i·k_i|
  std::vector<double> key_magnitude;    // [B, Hkv, Nk]: likewise over the queries of the group
  // The size of what is summed, for the rule: dP and delta may take each other away and leave the rounding of
  // both. With m = Σ|dO·V| + Σ|dO·O| + |dlse| of a pair:
  std::vector<double> query_terms;  // [B, Hq, Nq]: |scale|·Σ P·m·max|k| over the visible keys
  std::vector<double> key_terms;    // [B, Hkv, Nk]: |scale|·Σ P·m·max|q| over the queries of the group
};

// Multi-threaded. Throws Error (INTERNAL) when shapes do not fit.
GradientResult reference_gradient(const GradientInputs& inputs, Magnitudes magnitudes = Magnitudes::computed);

// S, P and dP in float, P and dS rounded to the dtype of the inputs before they are multiplied, sums in
// float, each gradient rounded once to that dtype. f64: all of it in double. No magnitudes, no terms.
GradientResult naive_gradient(const GradientInputs& inputs);

// A gradient by the rule of compare_tiles; `which` is "dq", "dk" or "dv".
Comparison compare_gradient(std::string_view which, const HostTensor& gradient,
                            const GradientResult& reference, const GradientResult& naive);

}  // namespace attune

// Attention forward in double precision (long double for f64) on the CPU: the reference of "Correct means",
// and the result that is compared.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "problem/problem.h"
#include "reference/tensor.h"

namespace attune {

// q is [B, Hq, Nq, D], k is [B, Hkv, Nk, D], v is [B, Hkv, Nk, Dv]; Hq is a multiple of Hkv.
struct AttentionInputs {
  const HostTensor& q;
  const HostTensor& k;
  const HostTensor& v;
  Mask mask = Mask::none;
  // As the kernel is given it, so a float unless the dtype is f64; 1/sqrt(D), so rounded, when not set.
  std::optional<double> scale = std::nullopt;
};

struct AttentionResult {
  std::array<int64_t, 4> dims{};  // of o: B, Hq, Nq, Dv
  std::vector<double> o;          // [B, Hq, Nq, Dv], contiguous
  std::vector<double> lse;        // [B, Hq, Nq]; natural logarithm
  std::vector<double>
      logit_magnitude;  // [B, Hq, Nq]: max over the visible keys of |scale|·Σ|q_i·k_i|, 0 without any

  int64_t row_index(int64_t batch, int64_t head, int64_t row) const {
    return (batch * dims[1] + head) * dims[2] + row;
  }
  double o_at(int64_t batch, int64_t head, int64_t row, int64_t column) const {
    return o[static_cast<size_t>(row_index(batch, head, row) * dims[3] + column)];
  }
  double lse_at(int64_t batch, int64_t head, int64_t row) const {
    return lse[static_cast<size_t>(row_index(batch, head, row))];
  }
};

// Whether the sizes of what is summed are wanted, too, for the rule that compares a kernel's result; they
// cost as much as the result.
enum class Magnitudes { computed, left_out };

// Multi-threaded. A row that sees no key gives O = 0 and LSE = -inf. Throws Error (INTERNAL) when shapes do
// not fit.
AttentionResult reference_attention(const AttentionInputs& inputs,
                                    Magnitudes magnitudes = Magnitudes::computed);

}  // namespace attune

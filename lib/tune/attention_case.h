// AttentionCase: one attention problem of a given size with inputs and reference, to check a candidate on.
#pragma once

#include <cstdint>
#include <vector>

#include "reference/attention.h"
#include "reference/tensor.h"
#include "tune/validation.h"

namespace attune {

// What a candidate wrote, as bytes: equal bytes are equal bits.
struct AttentionOutput {
  HostTensor o;
  HostTensor lse;  // [1, 1, 1, batch · heads_q · seqlen_q]
};

class AttentionCase final : public ValidationCase {
 public:
  // `problem` holds the actual sizes. All tensors lie between NaNs: margins, and gaps between rows, heads and
  // sequences. `q_deviation` is that of the queries: 1 gives logits of a few units, 40 logits far beyond
  // +-88.
  AttentionCase(const Problem& problem, uint64_t seed, double q_deviation);

  Comparison check(Backend& backend, const Family& family, const Config& config,
                   const Module& module) const override;

  AttentionOutput run(Backend& backend, const Family& family, const Config& config,
                      const Module& module) const;
  Comparison compare(const AttentionOutput& output) const;

 private:
  Problem problem_;
  HostTensor q_, k_, v_;
  AttentionResult reference_;
  AttentionResult naive_;
};

}  // namespace attune

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

// How the tensors of a case lie in memory. Always between NaNs: margins, and gaps between rows, heads and
// sequences.
enum class Placement {
  aligned,    // every row on a boundary of 16 bytes, if its length allows it
  unaligned,  // rows start on any element
  broadcast   // one K for all sequences, one V for all heads: strides of 0
};

class AttentionCase final : public ValidationCase {
 public:
  // `problem` holds the actual sizes. `q_deviation` is that of the queries: 1 gives logits of a few units, 40
  // logits far beyond +-88.
  AttentionCase(const Problem& problem, uint64_t seed, double q_deviation,
                Placement placement = Placement::aligned);

  bool concerns(const Family& family, const Config& config) const override {
    return placement_ != Placement::unaligned || !family.fallback(problem_, config);
  }
  Comparison check(Backend& backend, const Family& family, const Config& config,
                   const Module& module) const override;

  AttentionOutput run(Backend& backend, const Family& family, const Config& config,
                      const Module& module) const;
  Comparison compare(const AttentionOutput& output) const;

 private:
  HostTensor make_tensor(int64_t heads, int64_t rows, int64_t columns, Placement placement) const;

  Problem problem_;
  Placement placement_;
  HostTensor q_, k_, v_;
  AttentionResult reference_;
  AttentionResult naive_;
};

}  // namespace attune

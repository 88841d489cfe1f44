// BackwardCase: one backward problem of a given size with inputs and reference, to check a candidate of one
// of its stages on.
#pragma once

#include <cstdint>
#include <vector>

#include "reference/attention_gradient.h"
#include "reference/tensor.h"
#include "tune/attention_case.h"
#include "tune/validation.h"

namespace attune {

// What a stage wrote, as bytes: equal bytes are equal bits. Poisoned where another stage writes.
struct BackwardOutput {
  HostTensor row_terms;  // [1, batch · heads_q, padded rows, 2]
  HostTensor dq, dk, dv;
};

class BackwardCase final : public ValidationCase {
 public:
  // `problem` holds the actual sizes, and as its operation the stage. `q_deviation` is that of the queries.
  BackwardCase(const Problem& problem, uint64_t seed, double q_deviation,
               Placement placement = Placement::aligned);

  bool concerns(const Family& family, const Config& config) const override {
    return placement_ != Placement::unaligned || !family.fallback(problem_, config);
  }
  Comparison check(Backend& backend, const Family& family, const Config& config,
                   const Module& module) const override;

  // The same inputs for another stage: what gradients are compared with is computed once for all of them.
  void take_stage(Operation stage);

  // Stages after the first are given the reference's row terms, or those of `terms_of`.
  BackwardOutput run(Backend& backend, const Family& family, const Config& config, const Module& module,
                     const BackwardOutput* terms_of = nullptr) const;
  Comparison compare(const BackwardOutput& output) const;

 private:
  HostTensor make_tensor(int64_t heads, int64_t rows, int64_t columns, Placement placement) const;
  void make_inputs(uint64_t seed, double q_deviation);
  void make_row_terms();
  void make_gradients();
  Comparison compare_row_terms(const HostTensor& row_terms) const;

  Problem problem_;
  Placement placement_;
  HostTensor q_, k_, v_, o_, dout_;
  HostTensor lse_, dlse_;             // [1, 1, 1, batch · heads_q · seqlen_q]
  GradientResult reference_, naive_;  // made for the first stage that has gradients
  bool has_gradients_ = false;
  HostTensor row_terms_;                 // of the reference
  std::vector<double> delta_magnitude_;  // of each row: Σ|dO · O| + |dlse|
};

}  // namespace attune

// What the kernels of the backward pass must do, told once for every backend.
#pragma once

#include <vector>

#include "support/kernel_bench.h"
#include "tune/backward_case.h"

namespace attune {

// One compiled kernel of a stage with the lengths it is to be run on.
struct FlashBwdCase {
  Problem problem;  // the stage as its operation, static fields, heads and batch; lengths come from `lengths`
  Config config;    // empty: the first choice by the cost model
  struct Lengths {
    int64_t q, kv;
    bool operator==(const Lengths&) const = default;
  };
  std::vector<Lengths> lengths;
  double q_deviation = 1;
  Placement placement = Placement::aligned;
  const Family* family = nullptr;  // of `config`; null: that of the stage which every GPU has
};

// The family of a stage which every GPU has.
const Family& family_of(const Problem& stage);

// A case for each stage of the same problem, with the configs of `delta`, `dkv` and `dq`.
std::vector<FlashBwdCase> every_stage(const FlashBwdCase& of_stage, const Config& dkv, const Config& dq,
                                      const Config& delta = {{"WARPS", 4}});

// Runs every length and CHECKs the result against the reference; the plan is one and the same kernel. Stages
// of the same inputs that follow each other share a reference.
void check_flash_bwd(KernelBench& bench, std::vector<FlashBwdCase> cases);

// Runs one problem again and again and CHECKs that the outputs are equal bit for bit.
void check_backward_repeatable(KernelBench& bench, const Problem& stage, const Candidate& candidate,
                               int repeats);

}  // namespace attune

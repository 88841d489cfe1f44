// What the families of the forward pass must do, told once for every backend.
#pragma once

#include <string>
#include <vector>

#include "support/kernel_bench.h"
#include "tune/attention_case.h"

namespace attune {

// A family with one config; a config alone is flash_fwd's.
struct ForwardKernel {
  const Family* family;
  Config config;

  ForwardKernel(Config config);
  ForwardKernel(const Family& family, Config config);
};

// One compiled kernel with the lengths it is to be run on.
struct FlashFwdCase {
  Problem problem;  // static fields, heads and batch; lengths come from `lengths`
  ForwardKernel kernel;
  struct Lengths {
    int64_t q, kv;
  };
  std::vector<Lengths> lengths;
  double q_deviation = 1;
  Placement placement = Placement::aligned;
};

// The problem's first choice by the cost model on this device.
ForwardKernel first_choice(const Problem& problem, const DeviceSpec& device);

// Runs every length and CHECKs the result against the reference; the plan is one and the same kernel.
void check_flash_fwd(KernelBench& bench, const std::vector<FlashFwdCase>& cases);

// Runs one problem again and again and CHECKs that the outputs are equal bit for bit.
void check_repeatable(KernelBench& bench, const Problem& problem, const ForwardKernel& kernel, int repeats);

}  // namespace attune

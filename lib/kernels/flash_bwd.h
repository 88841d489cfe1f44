// What the host twins of flash_bwd_delta, flash_bwd_dkv and flash_bwd_dq have in common beside flash.h.
#pragma once

#include <string>

#include "kernels/family.h"

namespace attune::flash_bwd {

// Bytes of the row terms of `batch` sequences of `seqlen_q` rows.
size_t row_terms_bytes(const Problem& problem, int64_t batch, int64_t seqlen_q);

// Empty when `problem` is of this operation and its dtype can be multiplied on the device; else why not.
std::string inapplicable_reason(const Problem& problem, Operation operation, const DeviceSpec& device);

// Cycles that a step takes of each resource of a multiprocessor; constants are rough, the order of candidates
// is all that is asked of them.
struct StepCost {
  double products = 0;      // multiply-adds
  double pairs = 0;         // exponentials
  double shared_bytes = 0;  // read
  int stages = 1;
};
double step_cycles(double products_per_cycle, const StepCost& cost, const BudgetVerdict& verdict);
// Seconds of `blocks` blocks of so many cycles each.
double launch_seconds(double blocks, double cycles, const DeviceSpec& device);

}  // namespace attune::flash_bwd

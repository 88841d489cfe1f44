// Stages: the launches that an operation is done in, each a problem of its own.
#pragma once

#include <vector>

#include "problem/problem.h"

namespace attune {

// In the order in which they run. The problem itself, but for backward: its stages differ in their operation
// only.
std::vector<Problem> stages_of(const Problem& problem);

constexpr bool is_stage_of_backward(Operation operation) {
  return operation == Operation::backward_delta || operation == Operation::backward_dkv ||
         operation == Operation::backward_dq;
}

// What part of a bound on tuning the stage of an operation is worth; 1 for an operation of one stage, and
// together 1 for those of several.
double tuning_share(Operation stage);

}  // namespace attune

#include "problem/stages.h"

namespace attune {

std::vector<Problem> stages_of(const Problem& problem) {
  if (problem.operation != Operation::backward) return {problem};
  std::vector<Problem> stages;
  for (const Operation operation :
       {Operation::backward_delta, Operation::backward_dkv, Operation::backward_dq}) {
    stages.push_back(problem);
    stages.back().operation = operation;
  }
  return stages;
}

double tuning_share(Operation stage) {
  // delta has few configs, but what comes before it times the first, references and a compilation, takes it
  // as long as the others: with a tenth of three seconds a busy machine times none.
  switch (stage) {
    case Operation::backward_delta:
      return 0.2;
    case Operation::backward_dkv:
      return 0.45;
    case Operation::backward_dq:
      return 0.35;
    default:
      return 1;
  }
}

}  // namespace attune

// ModelCheck: what the cost model's first choice costs against the tuned winner, on problems that were
// recorded.
#pragma once

#include <string>
#include <vector>

#include "db/recorded_problem.h"

namespace attune {

struct ModelCheck {
  Problem problem;
  std::string first;   // "flash_fwd BLOCK_M=...": the model's first choice among what has a recorded time
  std::string winner;  // the tuned one
  double first_seconds = 0;
  double winner_seconds = 0;
  size_t untimed = 0;  // candidates that the model puts before `first`, and that have no time

  double ratio() const { return first_seconds / winner_seconds; }
};

// One of each problem whose device the records name and of whose candidates one has a time; worst first.
std::vector<ModelCheck> check_cost_model(const std::vector<RecordedProblem>& recorded);

// Infinite for none.
double median_ratio(const std::vector<ModelCheck>& checks);

}  // namespace attune

// TrialRunner: validates and times compiled candidates. The seam between the search and where candidates run:
// in this process, or in a worker process (worker_trial_runner.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "compile/compiler.h"
#include "problem/problem.h"
#include "tune/trial.h"

namespace attune {

class TrialRunner {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  virtual ~TrialRunner() = default;

  // Loads the image and compares its results with the reference; sets the trial's outcome, reason and error.
  // A candidate that fails is an outcome; Error (CONTEXT_LOST, OUT_OF_MEMORY) means that no further trial is
  // possible.
  virtual void validate(Trial& trial, const CompiledImage& image) = 0;

  // Times validated trials against each other, at the problem's real size, until told apart or the deadline.
  // One that fails only now gets its outcome and no measurement.
  virtual void time(std::span<Trial* const> trials, Deadline deadline) = 0;
};

// Hands the outcome of a race to its trials, in their order; who left early learns what it lost to.
void take_measurements(std::span<Trial* const> trials, std::vector<Measurement> measurements);

// Runs trials in this process, on scratch memory of the backend. `before_timing` is told which trial is timed
// next.
std::unique_ptr<TrialRunner> make_local_trial_runner(Backend& backend, const Problem& problem,
                                                     std::function<void(size_t trial)> before_timing = {});

}  // namespace attune

// Times candidates against each other: interleaved rounds, and nobody is timed longer than it stays in the
// race.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "measure/statistics.h"
#include "measure/stopping.h"

namespace attune {

struct TimedLaunch {
  const Module* module = nullptr;
  const Launch* launch = nullptr;
};

struct TimeBudget {
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  int warm_up = 2;            // launches of each candidate that are not counted
  int samples_per_round = 4;  // of each candidate
  int maximum_rounds = 50;
  StoppingRule enough{};
  // Told which candidate is launched next, so that it is known whose fault a fault is.
  std::function<void(size_t candidate)> before{};
};

// One measurement per candidate, in their order. Each round times every candidate that is still in the race,
// so that a clock that drifts drifts for all alike; then the losers leave. Ends when all that are left have
// enough samples, after maximum_rounds, or when another piece of work would end after the deadline, by what
// that candidate took so far. A candidate the deadline left untimed has no samples. Throws what Backend::time
// throws: a fault while timing is a fault of the device, and whoever isolates candidates must see it.
std::vector<Measurement> measure_candidates(Backend& backend, std::span<const TimedLaunch> candidates,
                                            const TimeBudget& budget);

}  // namespace attune

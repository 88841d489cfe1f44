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

// Readings of single launches below which they are better timed by replay. A pair of events adds 4 to 6 us to
// a kernel (H200) and does not see what a launch saves by beginning early, some 2 us: below this, together a
// tenth and more. Beyond it, what candidates differ by there is a few per cent, and a cold L2 says more.
constexpr double kReplayedBelow = 50e-6;

struct TimeBudget {
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  int warm_up = 2;            // launches of each candidate that are not counted
  int samples_per_round = 4;  // of each candidate
  int maximum_rounds = 50;
  StoppingRule enough{};
  // When the fastest takes less by single launches, all are timed by replay, which the backend then can. 0:
  // never.
  double replayed_below = 0;
  // Told which candidate is launched next, so that it is known whose fault a fault is.
  std::function<void(size_t candidate)> before{};
};

// One measurement per candidate, in their order. Each round times every candidate that is still in the race,
// so that a clock that drifts drifts for all alike; then the losers leave. Ends when all that are left have
// enough samples, after maximum_rounds, or when another piece of work would end after the deadline, by what
// that candidate took so far. A candidate the deadline left untimed has no samples. Throws what Backend::time
// throws: a fault while timing is a fault of the device, and whoever isolates candidates must see it.
//
// The race of a short problem (replayed_below) begins again by replay after its first round. One method for
// all: readings of one are never compared with readings of the other, so nobody near the limit is favoured,
// and whoever comes first does not matter. Only the hopeless do not begin again: what events add to a launch
// is in both readings, so the true ratio is even worse. A later race, of candidates that are new, may be run
// by the other method: then its fastest and that of the first lie on different sides of the limit, and
// whichever reads less by single launches is also the one with the less recorded time.
std::vector<Measurement> measure_candidates(Backend& backend, std::span<const TimedLaunch> candidates,
                                            const TimeBudget& budget);

}  // namespace attune

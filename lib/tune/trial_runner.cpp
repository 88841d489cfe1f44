#include "tune/trial_runner.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace attune {

void take_measurements(std::span<Trial* const> trials, std::vector<Measurement> measurements) {
  double winner = std::numeric_limits<double>::infinity();
  for (const Measurement& measurement : measurements) {
    if (!measurement.eliminated) winner = std::min(winner, measurement.median);
  }
  for (size_t i = 0; i < trials.size(); ++i) {
    trials[i]->lost_to_seconds = measurements[i].eliminated ? winner : 0;
    trials[i]->measurement = std::move(measurements[i]);
  }
}

}  // namespace attune

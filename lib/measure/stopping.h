// When a candidate has been timed enough, and which candidates are still in the race.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "measure/statistics.h"

namespace attune {

// Enough samples: the interval's half width is below 1 % of the median, or the cap is reached.
struct StoppingRule {
  double relative_half_width = 0.01;
  size_t maximum_samples = 200;
};

bool enough_samples(const Measurement& measurement, const StoppingRule& rule);

// Indices, ascending, of the candidates that may yet be the fastest: out is only who is significantly slower
// than the candidate of the least median (ci_low > its ci_high), or hopeless: every one of at least three
// samples is more than twice as slow as the other's slowest. A candidate without samples is in.
std::vector<size_t> still_in_race(std::span<const Measurement> measurements);

// Likewise, but only the hopeless are out: those of whom no other way of timing would say anything else.
std::vector<size_t> not_hopeless(std::span<const Measurement> measurements);

}  // namespace attune

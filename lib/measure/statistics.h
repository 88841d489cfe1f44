// Measurement: the statistics of a candidate's samples. Order statistics only, so outliers cannot carry them
// away.
#pragma once

#include <cstddef>
#include <vector>

namespace attune {

// With fewer samples not even [smallest, largest] covers the median with 95 % confidence (it does with 1 -
// 2^(1-n)).
constexpr size_t kMinimumSamplesForInterval = 6;

struct Measurement {
  std::vector<double> samples;  // seconds, in the order they were taken
  // Infinite without samples, so that a candidate never timed sorts last.
  double median = 0;
  // 95 % confidence interval of the median; [smallest, largest] while there are too few samples for one.
  double ci_low = 0;
  double ci_high = 0;
  // Lost a race, and was not timed after that. NOTE: a clock that slows down later makes such a candidate
  // look faster than those still timed, so it is never compared with them again.
  bool eliminated = false;
  // Its race was run by replay (Backend::time_by_replay), but for those that were hopeless by single launches
  // already. Not to be compared with times of single launches.
  bool by_replay = false;

  bool has_interval() const { return samples.size() >= kMinimumSamplesForInterval; }
  // Half of the interval's width over the median; infinite without an interval.
  double relative_half_width() const;
};

// Throws Error (INTERNAL) for a sample that is negative or not finite: a timer that lies must not choose a
// winner.
Measurement measurement_of(std::vector<double> samples);

// Of any number of values, infinite for none.
double median_of(std::vector<double> values);

// k such that [k-th smallest, k-th largest] of n samples (k from 1) covers the median with at least
// `confidence`, whatever the distribution; 0 when n is too small for any.
size_t interval_rank(size_t n, double confidence);

}  // namespace attune

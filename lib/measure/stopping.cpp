#include "measure/stopping.h"

#include <algorithm>

namespace attune {
namespace {

constexpr size_t kSamplesToGiveUp =
    3;  // one outlier is common and two in a row happen; three at twice the time do not
constexpr double kHopelessFactor = 2;

bool comparable(const Measurement& measurement) {
  return !measurement.samples.empty() && !measurement.eliminated;
}

// nullptr when there is nothing to compare with.
const Measurement* leader_of(std::span<const Measurement> measurements) {
  const Measurement* leader = nullptr;
  for (const Measurement& measurement : measurements) {
    if (comparable(measurement) && (!leader || measurement.median < leader->median)) leader = &measurement;
  }
  return leader;
}

bool significantly_slower(const Measurement& measurement, const Measurement& leader) {
  return measurement.has_interval() && leader.has_interval() && measurement.ci_low > leader.ci_high;
}

bool hopeless(const Measurement& measurement, const Measurement& leader) {
  if (std::min(measurement.samples.size(), leader.samples.size()) < kSamplesToGiveUp) return false;
  const double quickest = *std::min_element(measurement.samples.begin(), measurement.samples.end());
  const double slowest = *std::max_element(leader.samples.begin(), leader.samples.end());
  return quickest > kHopelessFactor * slowest;
}

// Indices of those that are not eliminated, nor out by this rule, which compares with the leader.
template <typename Out>
std::vector<size_t> those_in(std::span<const Measurement> measurements, const Out& out) {
  const Measurement* leader = leader_of(measurements);
  std::vector<size_t> indices;
  for (size_t i = 0; i < measurements.size(); ++i) {
    const Measurement& measurement = measurements[i];
    if (!measurement.eliminated && !(leader && out(measurement, *leader))) indices.push_back(i);
  }
  return indices;
}

}  // namespace

bool enough_samples(const Measurement& measurement, const StoppingRule& rule) {
  return measurement.samples.size() >= rule.maximum_samples ||
         measurement.relative_half_width() < rule.relative_half_width;
}

std::vector<size_t> still_in_race(std::span<const Measurement> measurements) {
  return those_in(measurements, [](const Measurement& measurement, const Measurement& leader) {
    return significantly_slower(measurement, leader) || hopeless(measurement, leader);
  });
}

std::vector<size_t> not_hopeless(std::span<const Measurement> measurements) {
  return those_in(measurements, hopeless);
}

}  // namespace attune

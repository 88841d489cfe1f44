#include "measure/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"

namespace attune {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kConfidence = 0.95;

double median_of_sorted(const std::vector<double>& sorted) {
  if (sorted.empty()) return kInfinity;
  const size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : 0.5 * (sorted[middle - 1] + sorted[middle]);
}

}  // namespace

double Measurement::relative_half_width() const {
  return has_interval() && median > 0 ? (ci_high - ci_low) / (2 * median) : kInfinity;
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return median_of_sorted(values);
}

size_t interval_rank(size_t n, double confidence) {
  // A sample is below the median with probability 1/2, so the median is outside when fewer than k are below
  // it, or fewer than k above: 2·P(Binomial(n, 1/2) < k). In logarithms, since 2^-n is 0 from n = 1075.
  const double allowed = (1 - confidence) / 2;
  double log_term = -static_cast<double>(n) * std::log(2.0);  // of C(n, i) / 2^n
  double below = 0;
  size_t k = 0;
  for (; k < n / 2; ++k) {
    below += std::exp(log_term);
    if (below > allowed) break;
    log_term += std::log(static_cast<double>(n - k)) - std::log(static_cast<double>(k + 1));
  }
  return k;
}

Measurement measurement_of(std::vector<double> samples) {
  for (const double sample : samples) {
    if (!std::isfinite(sample) || sample < 0) fail(ATTUNE_ERROR_INTERNAL, "a timing of {} s", sample);
  }
  std::vector<double> sorted = samples;
  std::sort(sorted.begin(), sorted.end());
  Measurement result{.samples = std::move(samples), .median = median_of_sorted(sorted)};
  if (sorted.empty()) {
    result.ci_low = result.ci_high = kInfinity;
    return result;
  }
  const size_t rank = std::max<size_t>(1, interval_rank(sorted.size(), kConfidence));
  result.ci_low = sorted[rank - 1];
  result.ci_high = sorted[sorted.size() - rank];
  return result;
}

}  // namespace attune

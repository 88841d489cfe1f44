#include "measure/statistics.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "base/error.h"
#include "support/catch.h"

using namespace attune;

TEST_CASE("median of odd, even, one and no values") {
  CHECK(median_of({3, 1, 2}) == 2);
  CHECK(median_of({4, 1, 3, 2}) == 2.5);
  CHECK(median_of({7}) == 7);
  CHECK(std::isinf(median_of({})));
}

TEST_CASE("ranks of the 95 % interval are those of the tables") {
  // Largest k with 2·P(Binomial(n, 1/2) < k) <= 0.05.
  const std::vector<std::pair<size_t, size_t>> table{{5, 0},  {6, 1},  {8, 1},  {9, 2},   {10, 2},
                                                     {12, 3}, {20, 6}, {25, 8}, {50, 18}, {100, 40}};
  for (const auto& [n, rank] : table) {
    INFO("n = " << n);
    CHECK(interval_rank(n, 0.95) == rank);
  }
  CHECK(interval_rank(0, 0.95) == 0);
  CHECK(interval_rank(8, 0.99) == 1);
  CHECK(interval_rank(7, 0.99) == 0);
  const size_t many = interval_rank(10000, 0.95);  // 2^-10000 is no double
  CHECK(std::fabs(static_cast<double>(many) - (5000 - 0.98 * 100)) < 3);
}

TEST_CASE("the interval covers the true median of a skewed distribution in 95 of 100") {
  std::mt19937_64 random(1);
  const double true_median = std::log(2.0);  // of the exponential distribution
  for (const size_t n : {6, 15, 40}) {
    int covered = 0;
    for (int trial = 0; trial < 2000; ++trial) {
      std::vector<double> samples;
      for (size_t i = 0; i < n; ++i)
        samples.push_back(std::exponential_distribution<double>(1)(random));
      const Measurement m = measurement_of(samples);
      covered += m.ci_low <= true_median && true_median <= m.ci_high;
    }
    CHECK(covered >= 0.94 * 2000);
  }
}

TEST_CASE("a measurement keeps its samples in order") {
  const Measurement m = measurement_of({5, 1, 4, 2, 3, 6, 7, 9, 8});
  CHECK(m.samples == std::vector<double>{5, 1, 4, 2, 3, 6, 7, 9, 8});
  CHECK(m.median == 5);
  CHECK(m.ci_low == 2);
  CHECK(m.ci_high == 8);
  CHECK(m.has_interval());
  CHECK(m.relative_half_width() == 0.6);
  CHECK_FALSE(m.eliminated);
}

TEST_CASE("outliers do not carry the median or the interval away") {
  std::vector<double> samples(30);
  std::iota(samples.begin(), samples.end(), 1000);
  const Measurement clean = measurement_of(samples);
  for (size_t i = 0; i < 3; ++i)
    samples[i * 7] = 1e6;  // a tenth of them
  const Measurement spoilt = measurement_of(samples);
  CHECK(spoilt.median < clean.median * 1.005);
  CHECK(spoilt.ci_high < clean.ci_high * 1.005);
}

TEST_CASE("few samples make no interval, none make no median") {
  const Measurement few = measurement_of({3, 1, 2});
  CHECK_FALSE(few.has_interval());
  CHECK(few.ci_low == 1);
  CHECK(few.ci_high == 3);
  CHECK(std::isinf(few.relative_half_width()));
  const Measurement none = measurement_of({});
  CHECK(std::isinf(none.median));
  CHECK(std::isinf(none.ci_low));
}

TEST_CASE("samples that are no times are refused") {
  CHECK_THROWS_AS(measurement_of({1, std::numeric_limits<double>::quiet_NaN()}), Error);
  CHECK_THROWS_AS(measurement_of({std::numeric_limits<double>::infinity()}), Error);
  CHECK_THROWS_AS(measurement_of({1, -1}), Error);
  CHECK(measurement_of({0, 0}).median == 0);  // a clock too coarse is no lie
}

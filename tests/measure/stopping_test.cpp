#include "measure/stopping.h"

#include <vector>

#include "support/catch.h"

using namespace attune;
using Indices = std::vector<size_t>;

namespace {

// n samples around `median`, the interval's half width being about `spread`.
Measurement around(double median, double spread, size_t n = 9) {
  std::vector<double> samples;
  for (size_t i = 0; i < n; ++i) {
    const double position = n == 1 ? 0 : 2 * static_cast<double>(i) / static_cast<double>(n - 1) - 1;
    samples.push_back(median + spread * position);
  }
  return measurement_of(samples);
}

}  // namespace

TEST_CASE("enough: a narrow interval, or the cap") {
  const StoppingRule rule;
  CHECK(enough_samples(around(1, 0.012), rule));  // 2nd and 8th of 9: 3/4 of the spread
  CHECK_FALSE(enough_samples(around(1, 0.02), rule));
  CHECK_FALSE(enough_samples(around(1, 0, 5), rule));  // no interval yet
  CHECK_FALSE(enough_samples(measurement_of({}), rule));
  CHECK(enough_samples(around(1, 0.5, 200), rule));
  CHECK(enough_samples(around(1, 0.02), {.relative_half_width = 0.02}));
}

TEST_CASE("out of the race is who is significantly slower") {
  const std::vector<Measurement> measurements{around(1.05, 0.02), around(1, 0.02), around(1.02, 0.02),
                                              measurement_of({}), around(1.2, 0.3)};
  CHECK(still_in_race(measurements) == Indices{1, 2, 3, 4});
}

TEST_CASE("too few samples prove nothing but hopelessness") {
  CHECK(still_in_race(std::vector{around(1.5, 0.01, 5), around(1, 0.01, 5)}) == Indices{0, 1});
  CHECK(still_in_race(std::vector{around(1.5, 0.01, 6), around(1, 0.01, 5)}) == Indices{0, 1});
  CHECK(still_in_race(std::vector{around(1.5, 0.01, 6), around(1, 0.01, 6)}) == Indices{1});
  CHECK(still_in_race(std::vector{around(2.1, 0.01, 3), around(1, 0.01, 3)}) == Indices{1});
  CHECK(still_in_race(std::vector{around(2.1, 0.01, 2), around(1, 0.01, 3)}) == Indices{0, 1});
  CHECK(still_in_race(std::vector{around(2.1, 0.01, 3), around(1, 0.1, 3)}) == Indices{0, 1});
}

TEST_CASE("nobody is out while nothing is timed, and the eliminated stay out") {
  CHECK(still_in_race({}).empty());
  CHECK(still_in_race(std::vector{measurement_of({}), measurement_of({})}) == Indices{0, 1});
  std::vector measurements{around(0.9, 0.01), around(1, 0.01), around(1.5, 0.01)};
  measurements[0].eliminated = true;  // fast, but when the clock was
  CHECK(still_in_race(measurements) == Indices{1});
}

#include "measure/timer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "measure/fake_backend.h"
#include "support/catch.h"

using namespace attune;
using attune_test::Candidates;
using attune_test::FakeBackend;
using namespace std::chrono_literals;

namespace {

// What a GPU was seen to do: 2 % noise, now and then a sample of up to three times the time, a slowly
// drifting clock.
const FakeBackend::Noise kNoise{.deviation = 0.02, .outlier_probability = 0.03, .drift_per_call = 0.0005};

// Twelve candidates; number 5 is the fastest by 1 %, and one is hopeless.
const std::vector<double> kSeconds{1.05e-3, 1.3e-3, 1.02e-3, 1.5e-3, 1.01e-3, 1.00e-3,
                                   1.1e-3,  2.8e-3, 1.03e-3, 1.2e-3, 1.07e-3, 1.04e-3};

size_t least_median(const std::vector<Measurement>& measurements) {
  size_t best = 0;
  for (size_t i = 1; i < measurements.size(); ++i) {
    if (!measurements[i].eliminated && measurements[i].median < measurements[best].median) best = i;
  }
  return best;
}

std::chrono::steady_clock::time_point in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

}  // namespace

TEST_CASE("without noise the order is found at once") {
  const Candidates candidates(kSeconds);
  FakeBackend backend(1, {});
  const std::vector<Measurement> measurements = measure_candidates(backend, candidates.launches, {});
  REQUIRE(measurements.size() == kSeconds.size());
  for (size_t i = 0; i < kSeconds.size(); ++i) {
    CHECK(measurements[i].median == kSeconds[i]);
    CHECK(measurements[i].eliminated == (i != 5));
    CHECK(measurements[i].samples.size() ==
          (i == 7 ? 4u : 8u));  // the hopeless one leaves after the first round
  }
}

TEST_CASE("the fastest is never eliminated, over 200 seeds") {
  const Candidates candidates(kSeconds);
  int eliminated = 0, close = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    FakeBackend backend(seed, kNoise);
    const std::vector<Measurement> measurements = measure_candidates(backend, candidates.launches, {});
    eliminated += measurements[5].eliminated;
    close += kSeconds[least_median(measurements)] <= 1.01e-3;
  }
  CHECK(eliminated == 0);
  CHECK(close >= 198);  // the least median is the fastest or its neighbour
}

TEST_CASE("losers cost little") {
  const Candidates candidates(kSeconds);
  FakeBackend backend(3, kNoise);
  const std::vector<Measurement> measurements = measure_candidates(backend, candidates.launches, {});
  CHECK(measurements[7].samples.size() <= 8);
  CHECK(measurements[3].samples.size() <= 12);
  CHECK(measurements[5].samples.size() > measurements[3].samples.size());
  CHECK(measurements[5].relative_half_width() < 0.01);
}

TEST_CASE("equal candidates stay in the race, and a slower one does not") {
  const Candidates candidates({1e-3, 1e-3, 1e-3, 1.2e-3});
  int right = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    FakeBackend backend(seed, kNoise);
    const std::vector<Measurement> measurements = measure_candidates(backend, candidates.launches, {});
    right += !measurements[0].eliminated && !measurements[1].eliminated && !measurements[2].eliminated &&
             measurements[3].eliminated;
  }
  CHECK(right >= 90);
}

TEST_CASE("rounds interleave, warm-up comes first and is not counted") {
  const Candidates candidates({1e-3, 1e-3, 1e-3});
  FakeBackend backend(1, {});
  const auto measurements =
      measure_candidates(backend, candidates.launches, {.warm_up = 7, .samples_per_round = 3});
  REQUIRE(backend.calls.size() == 9);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(backend.calls[2 * i].second == 7);
    CHECK(backend.calls[2 * i].first == candidates.modules[i].get());
    CHECK(backend.calls[2 * i + 1].first == candidates.modules[i].get());
    CHECK(backend.calls[6 + i].first == candidates.modules[(i + 1) % 3].get());  // another one begins
    CHECK(measurements[i].samples.size() == 6);
  }
}

TEST_CASE("a clock that slows down does not bring losers back") {
  // After two rounds candidate 0 is out; then everything takes twice as long, and its old samples would be
  // the best.
  const Candidates candidates({1.3e-3, 1e-3, 1.001e-3});
  FakeBackend backend(1, {.deviation = 0.03, .full_speed_calls = 9});
  const auto measurements = measure_candidates(backend, candidates.launches, {});
  CHECK(measurements[0].samples.size() == 8);
  CHECK(measurements[0].median < std::min(measurements[1].median, measurements[2].median));
  CHECK(measurements[0].eliminated);
  CHECK_FALSE(measurements[1].eliminated);
  CHECK_FALSE(measurements[2].eliminated);
}

TEST_CASE("the number of rounds is a limit") {
  const Candidates candidates({1e-3, 1e-3});
  FakeBackend backend(1, {.deviation = 0.5});
  const auto measurements =
      measure_candidates(backend, candidates.launches, {.samples_per_round = 2, .maximum_rounds = 5});
  CHECK(measurements[0].samples.size() == 10);
  CHECK(measurements[1].samples.size() == 10);
}

TEST_CASE("the deadline is kept") {
  const Candidates candidates(std::vector<double>(6, 1e-3));
  FakeBackend backend(1, {.deviation = 0.5, .sleep = 1ms});
  const auto begin = std::chrono::steady_clock::now();
  const auto measurements = measure_candidates(backend, candidates.launches, {.deadline = in(300ms)});
  const auto elapsed = std::chrono::steady_clock::now() - begin;
  CHECK(elapsed < 900ms);  // all rounds are 1.2 s and more; a busy machine sleeps long
  CHECK_FALSE(measurements[0].samples.empty());
}

TEST_CASE("a deadline in the past times nobody") {
  const Candidates candidates({1e-3, 2e-3});
  FakeBackend backend(1, {});
  const auto measurements = measure_candidates(backend, candidates.launches, {.deadline = in(-1ms)});
  REQUIRE(measurements.size() == 2);
  CHECK(measurements[0].samples.empty());
  CHECK(std::isinf(measurements[0].median));
  CHECK(backend.calls.empty());
}

TEST_CASE("whom the deadline leaves out has no samples and is not eliminated") {
  const Candidates candidates(std::vector<double>(50, 1e-3));
  FakeBackend backend(1, {.deviation = 0.01, .sleep = 2ms});
  const auto measurements = measure_candidates(backend, candidates.launches, {.deadline = in(60ms)});
  CHECK(measurements[49].samples.empty());
  CHECK_FALSE(measurements[49].eliminated);
}

TEST_CASE("no candidates, one candidate, and a fault while timing") {
  FakeBackend backend(1, kNoise);
  CHECK(measure_candidates(backend, {}, {}).empty());
  const Candidates one({1e-3});
  CHECK(measure_candidates(backend, one.launches, {})[0].relative_half_width() < 0.01);
  const Candidates faulty({1e-3, -1});
  CHECK_THROWS_AS(measure_candidates(backend, faulty.launches, {}), Error);
}

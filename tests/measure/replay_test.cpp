// Which races are run by replay: those of short problems, and then all of it.
#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "measure/fake_backend.h"
#include "measure/timer.h"
#include "support/catch.h"

using namespace attune;
using attune_test::Candidates;
using attune_test::FakeBackend;
using namespace std::chrono_literals;

namespace {

const TimeBudget kByReplay{.replayed_below = kReplayedBelow};

size_t least_median(const std::vector<Measurement>& measurements) {
  const auto least = std::ranges::min_element(measurements, {}, [](const Measurement& measurement) {
    return measurement.eliminated ? 1 : measurement.median;
  });
  return static_cast<size_t>(least - measurements.begin());
}

size_t replays_of(const FakeBackend& backend, const Candidates& candidates, size_t i) {
  return static_cast<size_t>(std::ranges::count(backend.replays, candidates.modules[i].get(),
                                                &std::pair<const Module*, int>::first));
}

}  // namespace

TEST_CASE("a short race is decided by replay, and keeps none of its single launches' times") {
  // As seen on an H200: one that begins early reads longer between events, and takes less.
  const Candidates candidates({9e-6, 10e-6, 12e-6}, {5.6e-6, 3.8e-6, 6e-6});
  FakeBackend backend(1, {});
  const auto measurements = measure_candidates(backend, candidates.launches, kByReplay);
  CHECK(least_median(measurements) == 1);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(measurements[i].by_replay);
    for (const double sample : measurements[i].samples)
      CHECK(sample == candidates.modules[i]->replayed);
  }
  CHECK(backend.calls.size() == 6);  // the warm-up and the first round
}

TEST_CASE("the fastest decides for all: nobody near the limit is timed another way than the others") {
  const double below = 0.99 * kReplayedBelow, above = 1.01 * kReplayedBelow;
  for (const bool fastest_comes_first : {true, false}) {
    const Candidates candidates(fastest_comes_first ? std::vector{below, above} : std::vector{above, below},
                                {40e-6, 40e-6});
    FakeBackend backend(1, {});
    const auto measurements = measure_candidates(backend, candidates.launches, kByReplay);
    CHECK(measurements[0].median == 40e-6);
    CHECK(measurements[1].median == 40e-6);
  }
  const Candidates longer({above, 1.2 * above}, {20e-6, 10e-6});
  FakeBackend backend(1, {});
  const auto measurements = measure_candidates(backend, longer.launches, kByReplay);
  CHECK(backend.replays.empty());
  CHECK(least_median(measurements) == 0);
  CHECK(measurements[0].median == above);
  CHECK_FALSE(measurements[0].by_replay);
  CHECK_FALSE(measurements[1].by_replay);
}

TEST_CASE("the hopeless are not replayed, however many samples a round has") {
  for (const int samples : {4, 20}) {
    // 20 samples would prove the second slower than the first, by single launches. It is not hopeless.
    const Candidates candidates({10e-6, 15e-6, 5e-3}, {5e-6, 4e-6, 1e-6});
    FakeBackend backend(1, {.deviation = 0.01});
    const auto measurements = measure_candidates(
        backend, candidates.launches, {.samples_per_round = samples, .replayed_below = kReplayedBelow});
    CHECK(least_median(measurements) == 1);
    CHECK(measurements[2].eliminated);
    CHECK(measurements[2].by_replay);  // its race was
    CHECK(measurements[2].samples.size() == static_cast<size_t>(samples));
    CHECK(replays_of(backend, candidates, 2) == 0);
    CHECK(replays_of(backend, candidates, 1) > 0);
  }
}

TEST_CASE("without a limit nothing is replayed") {
  const Candidates candidates({5e-6, 6e-6}, {2e-6, 1e-6});
  FakeBackend backend(1, {});
  CHECK(least_median(measure_candidates(backend, candidates.launches, {})) == 0);
  CHECK(backend.replays.empty());
}

TEST_CASE("a single round is enough to be replayed") {
  const Candidates candidates({5e-6, 6e-6}, {2e-6, 1e-6});
  FakeBackend backend(1, {});
  const auto measurements = measure_candidates(backend, candidates.launches,
                                               {.maximum_rounds = 1, .replayed_below = kReplayedBelow});
  CHECK(measurements[0].samples == std::vector<double>(4, 2e-6));
  CHECK(measurements[1].samples == std::vector<double>(4, 1e-6));
}

TEST_CASE("when the deadline leaves no time to replay all, single launches decide") {
  const Candidates candidates(std::vector<double>(8, 5e-6), std::vector<double>(8, 2e-6));
  FakeBackend backend(1, {.replay_sleep = 25ms});
  const auto deadline = std::chrono::steady_clock::now() + 250ms;  // two or three of them
  const auto measurements = measure_candidates(backend, candidates.launches,
                                               {.deadline = deadline, .replayed_below = kReplayedBelow});
  CHECK_FALSE(backend.replays.empty());
  for (const Measurement& measurement : measurements) {
    CHECK(measurement.median == 5e-6);
    CHECK_FALSE(measurement.by_replay);
  }
}

TEST_CASE("who is replayed next is told, and a fault while replaying is thrown") {
  const Candidates candidates({5e-6, 6e-6}, {2e-6, -1});
  FakeBackend backend(1, {});
  std::string told;
  TimeBudget budget = kByReplay;
  budget.before = [&](size_t candidate) { told += std::to_string(candidate); };
  CHECK_THROWS_AS(measure_candidates(backend, candidates.launches, budget), Error);
  CHECK(told == "0101");  // the first round, then the replays
}

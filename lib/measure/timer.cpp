#include "measure/timer.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace attune {
namespace {

using Clock = std::chrono::steady_clock;

class Race {
 public:
  Race(Backend& backend, std::span<const TimedLaunch> candidates, const TimeBudget& budget)
      : backend_(backend), candidates_(candidates), budget_(budget), wall_per_launch_(candidates.size()) {
    measurements_.assign(candidates.size(), measurement_of({}));
    for (size_t i = 0; i < candidates.size(); ++i)
      runners_.push_back(i);
  }

  std::vector<Measurement> run() {
    for (int round = 0; round < budget_.maximum_rounds && !runners_.empty(); ++round) {
      // Start elsewhere each time, so that nobody always runs after the same neighbour or first of a round.
      std::rotate(runners_.begin(), runners_.begin() + (round > 0 && runners_.size() > 1 ? 1 : 0),
                  runners_.end());
      bool timed_any = false;
      for (const size_t candidate : runners_)
        timed_any |= time_candidate(candidate, round == 0);
      if (!timed_any) break;
      drop_losers();
      if (std::all_of(runners_.begin(), runners_.end(),
                      [&](size_t i) { return enough_samples(measurements_[i], budget_.enough); })) {
        break;
      }
    }
    return std::move(measurements_);
  }

 private:
  // False when there is no time left for it.
  bool time_candidate(size_t candidate, bool first) {
    if (budget_.before) budget_.before(candidate);
    const bool warm = !first || budget_.warm_up <= 0 || !launch(candidate, budget_.warm_up).empty();
    const std::vector<double> seconds =
        warm ? launch(candidate, budget_.samples_per_round) : std::vector<double>{};
    std::vector<double> samples = std::move(measurements_[candidate].samples);
    samples.insert(samples.end(), seconds.begin(), seconds.end());
    measurements_[candidate] = measurement_of(std::move(samples));
    return !seconds.empty();
  }

  // Samples of `repetitions` launches; none when they would end after the deadline.
  std::vector<double> launch(size_t candidate, int repetitions) {
    const Clock::time_point begin = Clock::now();
    if (begin >= budget_.deadline || budget_.deadline - begin < wall_per_launch_[candidate] * repetitions)
      return {};
    const TimedLaunch& timed = candidates_[candidate];
    std::vector<double> seconds = backend_.time(*timed.module, *timed.launch, repetitions);
    wall_per_launch_[candidate] = (Clock::now() - begin) / repetitions;
    return seconds;
  }

  void drop_losers() {
    const std::vector<size_t> in = still_in_race(measurements_);
    std::erase_if(runners_, [&](size_t i) {
      measurements_[i].eliminated = !std::binary_search(in.begin(), in.end(), i);
      return measurements_[i].eliminated;
    });
  }

  Backend& backend_;
  std::span<const TimedLaunch> candidates_;
  const TimeBudget& budget_;
  std::vector<Clock::duration> wall_per_launch_;  // of the latest launches; 0 before any
  std::vector<Measurement> measurements_;
  std::vector<size_t> runners_;  // who is still timed
};

}  // namespace

std::vector<Measurement> measure_candidates(Backend& backend, std::span<const TimedLaunch> candidates,
                                            const TimeBudget& budget) {
  return Race(backend, candidates, budget).run();
}

}  // namespace attune

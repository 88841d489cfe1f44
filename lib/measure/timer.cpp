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
      if (time_runners(round == 0) == 0) break;
      if (round == 0 && is_short()) begin_again_by_replay();
      drop_losers(still_in_race(measurements_));
      if (std::all_of(runners_.begin(), runners_.end(),
                      [&](size_t i) { return enough_samples(measurements_[i], budget_.enough); })) {
        break;
      }
    }
    for (Measurement& measurement : measurements_)
      measurement.by_replay = by_replay_;
    return std::move(measurements_);
  }

 private:
  // How many there was time for.
  size_t time_runners(bool first) {
    size_t timed = 0;
    for (const size_t candidate : runners_)
      timed += time_candidate(candidate, first) ? 1 : 0;
    return timed;
  }

  bool is_short() const {
    return std::any_of(measurements_.begin(), measurements_.end(), [&](const Measurement& measurement) {
      return measurement.median < budget_.replayed_below;
    });
  }

  // What was measured by single launches counts only when the deadline leaves no time for all to be replayed.
  void begin_again_by_replay() {
    drop_losers(not_hopeless(measurements_));
    std::vector<Measurement> by_single_launches = measurements_;
    for (const size_t candidate : runners_)
      measurements_[candidate] = measurement_of({});
    by_replay_ = true;
    if (time_runners(false) == runners_.size()) return;
    by_replay_ = false;
    measurements_ = std::move(by_single_launches);
  }

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

  // Samples of `repetitions` launches, or replays; none when they would end after the deadline.
  std::vector<double> launch(size_t candidate, int repetitions) {
    const Clock::time_point begin = Clock::now();
    if (begin >= budget_.deadline || budget_.deadline - begin < wall_per_launch_[candidate] * repetitions)
      return {};
    const TimedLaunch& timed = candidates_[candidate];
    std::vector<double> seconds = by_replay_
                                      ? backend_.time_by_replay(*timed.module, *timed.launch, repetitions)
                                      : backend_.time(*timed.module, *timed.launch, repetitions);
    wall_per_launch_[candidate] = (Clock::now() - begin) / repetitions;
    return seconds;
  }

  void drop_losers(const std::vector<size_t>& in) {
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
  bool by_replay_ = false;
};

}  // namespace

std::vector<Measurement> measure_candidates(Backend& backend, std::span<const TimedLaunch> candidates,
                                            const TimeBudget& budget) {
  return Race(backend, candidates, budget).run();
}

}  // namespace attune

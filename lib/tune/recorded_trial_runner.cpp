#include "tune/recorded_trial_runner.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "measure/timer.h"
#include "recorded/recorded_backend.h"

namespace attune {
namespace {

class RecordedTrialRunner final : public TrialRunner {
 public:
  RecordedTrialRunner(Backend& backend, TuningDb& recordings, const std::string& device_key,
                      const Problem& problem)
      : backend_(backend), shape_(describe(problem)) {
    records_ = recordings.records({.device_key = device_key, .static_key = static_key(problem)});
  }

  void validate(Trial& trial, const CompiledImage& image) override {
    const Record* record = newest_of(trial.candidate);
    if (!record) {
      trial.outcome = Outcome::launch_failed;
      trial.reason = nothing_recorded();
      trial.tried = false;  // a plan may still use it, untimed
      return;
    }
    trial.max_error = record->max_error;
    if (record->outcome != Outcome::ok || record->samples.empty()) {
      trial.outcome = record->outcome == Outcome::ok ? Outcome::launch_failed : record->outcome;
      trial.reason =
          fmt::format("recorded: {}", record->reason.empty() ? "it was not timed" : record->reason);
      return;
    }
    if (image.hash != record->image_hash) {
      trial.reason = fmt::format("recorded of image {}, here it is {}", record->image_hash, image.hash);
    }
  }

  void time(std::span<Trial* const> trials, Deadline deadline) override {
    std::vector<std::unique_ptr<RecordedModule>> modules;
    const Launch nothing{};
    std::vector<TimedLaunch> timed;
    for (const Trial* trial : trials) {
      const Record* record = newest_of(trial->candidate);
      modules.push_back(std::make_unique<RecordedModule>(record->registers, 0, record->samples));
      timed.push_back({modules.back().get(), &nothing});
    }
    // A first launch that is not counted was not recorded either.
    take_measurements(trials, measure_candidates(backend_, timed, {.deadline = deadline, .warm_up = 0}));
  }

 private:
  const Record* newest_of(const Candidate& candidate) const {
    const auto newest = std::ranges::find_if(records_.rbegin(), records_.rend(), [&](const Record& record) {
      return record.shape == shape_ && is_of(record, candidate);
    });
    return newest == records_.rend() ? nullptr : &*newest;
  }

  std::string nothing_recorded() const {
    std::set<std::string> shapes;
    for (const Record& record : records_)
      shapes.insert(record.shape);
    if (shapes.contains(shape_)) return "recorded: no trial of this candidate is";
    if (shapes.empty()) return fmt::format("recorded: no trial of {} is, nor of any other length", shape_);
    return fmt::format("recorded: no trial of {} is; of other lengths {} are, such as {}", shape_,
                       shapes.size(), *shapes.begin());
  }

  Backend& backend_;
  const std::string shape_;
  std::vector<Record> records_;  // of all lengths
};

}  // namespace

std::unique_ptr<TrialRunner> make_recorded_trial_runner(Backend& backend, TuningDb& recordings,
                                                        const std::string& device_key,
                                                        const Problem& problem) {
  return std::make_unique<RecordedTrialRunner>(backend, recordings, device_key, problem);
}

}  // namespace attune

#include <map>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "measure/timer.h"
#include "tune/scratch_workspace.h"
#include "tune/timing_scratch.h"
#include "tune/trial_runner.h"
#include "tune/validation.h"

namespace attune {
namespace {

// Trials move while they are being tried, so their text identifies them.
std::string key_of(const Trial& trial) {
  return fmt::format("{} {}", trial.candidate.family->name(), to_string(trial.candidate.config));
}

class LocalTrialRunner final : public TrialRunner {
 public:
  LocalTrialRunner(Backend& backend, const Problem& problem, std::function<void(size_t)> before_timing)
      : backend_(backend),
        problem_(problem),
        validation_(problem),
        before_timing_(std::move(before_timing)) {}

  void validate(Trial& trial, const CompiledImage& image) override {
    const Candidate& candidate = trial.candidate;
    try {
      auto module = backend_.load(image, static_cast<uint32_t>(candidate.use.shared_bytes));
      if (module->registers() > 0) trial.registers = module->registers();
      const Comparison comparison = validation_.check(backend_, *candidate.family, candidate.config, *module);
      trial.max_error = comparison.worst_ratio;
      if (!comparison.ok) {
        trial.outcome = Outcome::wrong_result;
        trial.reason = comparison.reason;
      } else {
        modules_[key_of(trial)] = std::move(module);
      }
    } catch (const Error& error) {
      if (error.status() != ATTUNE_ERROR_LAUNCH_FAILED) throw;
      trial.outcome = Outcome::launch_failed;
      trial.reason = error.what();
      require_device(trial);
    }
  }

  void time(std::span<Trial* const> trials, Deadline deadline) override {
    const TimingScratch scratch(backend_, problem_);
    // One for all: none minds what another has left there.
    const auto candidates = trials | std::views::transform([](const Trial* trial) -> const Candidate& {
                              return trial->candidate;
                            });
    const ScratchWorkspace workspace(backend_, ScratchWorkspace::most_bytes(backend_, problem_, candidates));
    Arguments arguments = scratch.arguments();
    arguments.workspace = workspace.data();
    std::vector<Launch> launches(trials.size());
    std::vector<TimedLaunch> timed;
    for (size_t i = 0; i < trials.size(); ++i) {
      const Candidate& candidate = trials[i]->candidate;
      candidate.family->pack(problem_, candidate.config, arguments, backend_.tensor_maps(), launches[i],
                             backend_.device().multiprocessors);
      timed.push_back({modules_.at(key_of(*trials[i])).get(), &launches[i]});
    }
    TimeBudget budget{.deadline = deadline, .replayed_below = replayed_below(backend_, problem_)};
    budget.before = before_timing_;
    if (!backend_.timings_mean_speed()) {
      // One sample makes a record, and more of them would say no more.
      budget.warm_up = 0;
      budget.samples_per_round = 1;
      budget.maximum_rounds = 1;
    }
    take_measurements(trials, measure_candidates(backend_, timed, budget));
  }

 private:
  // A fault that stays (an illegal address) fails every launch after it: it must not be held against the
  // candidates to come.
  void require_device(const Trial& trial) const {
    try {
      backend_.synchronize(backend_.planning_stream());
    } catch (const Error& error) {
      fail(ATTUNE_ERROR_CONTEXT_LOST, "{} has made the device unusable: {}", key_of(trial), error.what());
    }
  }

  Backend& backend_;
  const Problem problem_;
  const Validation validation_;
  const std::function<void(size_t)> before_timing_;
  std::map<std::string, std::unique_ptr<Module>> modules_;
};

}  // namespace

std::unique_ptr<TrialRunner> make_local_trial_runner(Backend& backend, const Problem& problem,
                                                     std::function<void(size_t)> before_timing) {
  return std::make_unique<LocalTrialRunner>(backend, problem, std::move(before_timing));
}

}  // namespace attune

#include "tune/worker_trial_runner.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "base/error.h"
#include "tune/worker_protocol.h"

namespace attune {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

// Trials move while they are being tried, so their text identifies them.
std::string key_of(const Trial& trial) {
  return fmt::format("{} {}", trial.candidate.family->name(), to_string(trial.candidate.config));
}

class WorkerTrialRunner final : public TrialRunner {
 public:
  WorkerTrialRunner(Backend& backend, const Problem& problem, std::shared_ptr<Workers> workers)
      : backend_(backend), problem_(problem), workers_(std::move(workers)) {
    // It opens its device while the first candidates are being compiled.
    worker_ = workers_->start(WorkerRole::trial);
  }

  void validate(Trial& trial, const CompiledImage& image) override {
    if (!have_worker()) return local().validate(trial, image);
    if (!validate_there(trial, image) && !validate_there(trial, image)) {
      blame(trial, "its process was killed twice");
    }
    if (trial.outcome == Outcome::ok) images_[key_of(trial)] = image;
  }

  void time(std::span<Trial* const> trials, Deadline deadline) override {
    if (local_) return local_->time(trials, deadline);
    std::vector<Trial*> racing(trials.begin(), trials.end());
    int kills = 0;
    while (!racing.empty()) {
      if (have_worker() && !knows_them_all_) validate_again(racing);
      drop_failed(racing);
      // A candidate that fails leaves the race, and the others begin it again.
      if (racing.empty() || race(racing, deadline)) return;
      if (++kills > kMostKills && std::ranges::all_of(racing, works))
        fail(ATTUNE_ERROR_INTERNAL, "the worker process was killed {} times while timing", kills);
      drop_failed(racing);
    }
  }

 private:
  // By somebody else, over and over: then timing has to wait for better days.
  static constexpr int kMostKills = 20;

  static bool works(const Trial* trial) { return trial->outcome == Outcome::ok; }
  static void drop_failed(std::vector<Trial*>& trials) { std::erase_if(trials, std::not_fn(works)); }

  TrialRunner& local() {
    if (!local_) local_ = make_local_trial_runner(backend_, problem_);
    return *local_;
  }

  // False when the trials have to run in this process.
  bool have_worker() {
    if (local_) return false;
    if (is_ready_ && worker_) return true;
    workers_->make_ready(worker_, WorkerRole::trial);
    is_ready_ = worker_ != nullptr;
    knows_them_all_ = images_.empty();
    return is_ready_;
  }

  // False when somebody has killed the worker, which says nothing of the candidate.
  bool validate_there(Trial& trial, const CompiledImage& image) {
    if (!have_worker()) {
      fail(ATTUNE_ERROR_INTERNAL, "no further worker process can be had: {}", workers_->degraded_reason());
    }
    const json request = {
        {"validate", to_json(trial.candidate)}, {"problem", to_json(problem_)}, {"image", to_json(image)}};
    const Answer answer = Workers::ask(worker_, request, workers_->options().trial_seconds);
    return take(answer, trial, [&](const json& message) { take_verdict(message, trial); });
  }

  // After the end of a worker: the next one has loaded nothing yet.
  void validate_again(std::span<Trial* const> trials) {
    for (Trial* trial : trials) {
      validate_there(*trial, images_.at(key_of(*trial)));
      if (!worker_) return;  // it has ended, whoever's fault that is: the next one begins again
    }
    knows_them_all_ = true;
  }

  // True when the race came to its end.
  bool race(std::span<Trial* const> trials, Deadline deadline) {
    if (!knows_them_all_) return false;
    json candidates = json::array();
    for (const Trial* trial : trials)
      candidates.push_back(to_json(trial->candidate));
    json request = {{"time", std::move(candidates)}, {"problem", to_json(problem_)}};
    if (deadline != Deadline::max()) {
      request["seconds"] = std::chrono::duration<double>(deadline - Clock::now()).count();
    }
    const double patience = workers_->options().trial_seconds;
    size_t timed = 0;  // who is being timed
    for (Answer answer = Workers::ask(worker_, request, patience);;
         answer = Workers::next(worker_, patience)) {
      if (answer.message && answer.message->contains("next")) {
        timed = std::min<size_t>(answer.message->at("next").get<size_t>(), trials.size() - 1);
        continue;
      }
      bool ended = false;
      take(answer, *trials[timed], [&](const json& message) {
        std::vector<Measurement> measurements = measurements_from_json(message.at("measurements"));
        measurements.resize(trials.size());
        take_measurements(trials, std::move(measurements));
        ended = true;
      });
      return ended;
    }
  }

  // Takes an answer that concerns this trial: what it says, or that its worker ended. False when somebody
  // killed the worker. Throws the worker's Error when it concerns all trials.
  template <typename Take>
  bool take(const Answer& answer, Trial& trial, const Take& take_message) {
    if (!answer.message) {
      if (answer.late) {
        trial.outcome = Outcome::timed_out;
        trial.reason =
            fmt::format("it took longer than {} s and was stopped", workers_->options().trial_seconds);
        return true;
      }
      if (answer.end.by_outsider) return false;
      blame(trial, fmt::format("its process ended: {}", answer.end.how));
      return true;
    }
    if (!is_error(*answer.message)) {
      try {
        take_message(*answer.message);
      } catch (const json::exception& error) {  // what a candidate has left of a worker's memory
        worker_.reset();
        blame(trial, fmt::format("its process answered nonsense: {}", error.what()));
      }
      return true;
    }
    const Error error = error_of(*answer.message);
    // The device is unusable in that process, and in no other.
    worker_.reset();
    if (error.status() != ATTUNE_ERROR_CONTEXT_LOST && error.status() != ATTUNE_ERROR_LAUNCH_FAILED)
      throw error;
    blame(trial, error.what());
    if (error.status() == ATTUNE_ERROR_LAUNCH_FAILED) trial.outcome = Outcome::launch_failed;
    return true;
  }

  static void blame(Trial& trial, std::string reason) {
    trial.outcome = Outcome::crashed;
    trial.reason = std::move(reason);
  }

  Backend& backend_;
  const Problem problem_;
  const std::shared_ptr<Workers> workers_;
  std::unique_ptr<WorkerProcess> worker_;
  bool is_ready_ = false;
  bool knows_them_all_ = true;                   // the worker has loaded all of `images_`
  std::map<std::string, CompiledImage> images_;  // of what is valid
  std::unique_ptr<TrialRunner> local_;           // instead of a worker
};

}  // namespace

std::unique_ptr<TrialRunner> make_worker_trial_runner(Backend& backend, const Problem& problem,
                                                      std::shared_ptr<Workers> workers) {
  return std::make_unique<WorkerTrialRunner>(backend, problem, std::move(workers));
}

}  // namespace attune

#include "tune/tuner.h"

#include <algorithm>
#include <chrono>
#include <ranges>

#include "base/error.h"
#include "problem/bucket.h"
#include "tune/compile_queue.h"
#include "tune/known_crashes.h"
#include "tune/scratch_workspace.h"
#include "tune/timing_scratch.h"
#include "tune/trial_record.h"

namespace attune {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Clock::time_point deadline_after(Clock::time_point start, double seconds) {
  if (seconds <= 0) return Clock::time_point::max();
  return start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

// Moves the seeds that are among the candidates, and fit, to the front.
void put_seeds_first(std::vector<Candidate>& candidates, const std::vector<Candidate>& seeds) {
  auto front = candidates.begin();
  for (const Candidate& seed : seeds) {
    const auto found = std::find_if(front, candidates.end(), [&](const Candidate& candidate) {
      return candidate.verdict.fits && candidate.family == seed.family && candidate.config == seed.config;
    });
    if (found != candidates.end()) std::rotate(front++, found, found + 1);
  }
}

// Pruning: the candidates that fit become trials, in the order in which they are tried, up to the limit; the
// others are trials with their reason.
std::vector<Trial> make_trials(const Problem& problem, const DeviceSpec& device, const TuneOptions& options) {
  std::vector<Candidate> candidates = require_candidates(problem, device, options.margin);
  put_seeds_first(candidates, options.seeds);
  std::vector<Trial> trials;
  size_t fitting = 0;
  for (Candidate& candidate : candidates) {
    if (candidate.verdict.fits && options.max_candidates > 0 && fitting++ >= options.max_candidates) continue;
    Trial trial{.candidate = std::move(candidate)};
    if (!trial.candidate.verdict.fits) {
      trial.outcome = Outcome::over_budget;
      trial.reason = trial.candidate.verdict.reason;
    }
    trials.push_back(std::move(trial));
  }
  return trials;
}

// One tuning run: what its stages share.
class TuneRun {
 public:
  TuneRun(const Problem& problem, const TuneOptions& options) : options_(options), start_(Clock::now()) {
    report_.problem = report_.timed = problem;
  }

  TuneReport& report() { return report_; }
  Clock::time_point deadline(double share = 1) const {
    return deadline_after(start_, options_.seconds * share);
  }

  void begin(const char* stage, size_t total) {
    stage_ = stage;
    stage_start_ = Clock::now();
    total_ = total;
    done_ = 0;
  }

  void finished(const std::string& what) {
    ++done_;
    if (!options_.progress) return;
    const double spent = seconds_since(stage_start_);
    options_.progress(
        {.stage = stage_,
         .done = done_,
         .total = total_,
         .elapsed_seconds = seconds_since(start_),
         .eta_seconds = spent / static_cast<double>(done_) * static_cast<double>(total_ - done_),
         .candidate = what});
  }

  // Compiles every trial that is not pruned; `ready` takes each one with its image, nullptr when it did not
  // compile.
  template <typename Ready>
  void compile(Compiler& compiler, CompiledImages& images, const TemplateStore& templates,
               const Ready& ready) {
    std::vector<const Candidate*> candidates;
    for (const Trial& trial : report_.trials) {
      if (trial.outcome == Outcome::ok) candidates.push_back(&trial.candidate);
    }
    begin("compile", candidates.size());
    // Timing needs its share of a bounded run.
    CompileQueue queue(compiler, images, templates, report_.problem, candidates, deadline(0.6));
    std::vector<bool> tried(candidates.size());
    while (const std::optional<Compiled> compiled = queue.next()) {
      // What arrives too late is not validated, but for the first: a run always tries one.
      const bool none_tried = std::none_of(tried.begin(), tried.end(), [](bool was) { return was; });
      if (!none_tried && Clock::now() >= deadline(0.6)) continue;
      Trial& trial = report_.trials[compiled->index];  // those that fit come first
      tried[compiled->index] = true;
      trial.source_hash = compiled->source_hash;
      take_image(trial, *compiled->image.result);
      ready(trial, compiled->image.result->image ? &*compiled->image.result->image : nullptr);
      finished(fmt::format("{}: {}", to_string(trial.candidate.config), name_of(trial.outcome)));
    }
    drop_untried(tried);
  }

  // What the deadline kept from being timed can neither win nor be recorded.
  void count_untimed(size_t untimed, size_t candidates) {
    if (untimed == 0) return;
    report_.complete = false;
    if (!report_.note.empty()) report_.note += "; ";
    report_.note += fmt::format("{} of {} candidates were not timed within {:g} s", untimed, candidates,
                                options_.seconds);
  }

  TuneReport finish() {
    report_.seconds = seconds_since(start_);
    return std::move(report_);
  }

 private:
  static Outcome outcome_of(CompileEnd end) {
    if (end == CompileEnd::crashed) return Outcome::crashed;
    return end == CompileEnd::timed_out ? Outcome::timed_out : Outcome::compile_failed;
  }

  static void take_image(Trial& trial, const CompileResult& result) {
    if (!result.image) {
      trial.outcome = outcome_of(result.end);
      trial.reason = result.log.substr(0, 400);
      return;
    }
    trial.image_hash = result.image->hash;
    trial.registers = result.image->registers;
    trial.spill_bytes = result.image->spill_bytes;
    trial.compile_seconds = result.image->compile_seconds;
  }

  // What the deadline kept from being compiled is no trial at all.
  void drop_untried(const std::vector<bool>& tried) {
    const auto untried = static_cast<size_t>(std::count(tried.begin(), tried.end(), false));
    report_.complete = untried == 0;
    if (untried > 0) {
      report_.note = fmt::format("{} of {} candidates were not tried within {:g} s", untried, tried.size(),
                                 options_.seconds);
    }
    std::vector<Trial> kept;
    for (size_t i = 0; i < report_.trials.size(); ++i) {
      if (i >= tried.size() || tried[i]) kept.push_back(std::move(report_.trials[i]));
    }
    report_.trials = std::move(kept);
  }

  const TuneOptions& options_;
  const Clock::time_point start_;
  TuneReport report_;
  const char* stage_ = "";
  Clock::time_point stage_start_;
  size_t done_ = 0;
  size_t total_ = 0;
};

// Scratch memory of a race: the problem's tensors, and the workspace that the candidates take turns at.
int64_t race_bytes(const Problem& timed, const Backend& backend, const std::vector<Trial>& trials) {
  const auto is_ok = [](const Trial& trial) { return trial.outcome == Outcome::ok; };
  const size_t workspace = ScratchWorkspace::most_bytes(
      backend, timed, trials | std::views::filter(is_ok) | std::views::transform(&Trial::candidate));
  int64_t bytes = TimingScratch::bytes(timed);
  return __builtin_add_overflow(bytes, workspace, &bytes) ? INT64_MAX : bytes;
}

// The problem that is timed for `problem`: itself, or with fewer sequences and then fewer heads where scratch
// memory is bounded. As long as whole waves of equal tiles remain, the candidates' order stays.
Problem timing_problem(const Problem& problem, const Backend& backend, const std::vector<Trial>& trials,
                       const TuneOptions& options) {
  const auto free = static_cast<int64_t>(std::min<size_t>(backend.free_bytes(), INT64_MAX));
  const int64_t limit = options.scratch_bytes > 0 ? std::min(options.scratch_bytes, free) : free;
  const auto need = [&](const Problem& smaller) { return race_bytes(smaller, backend, trials); };
  Problem timed = problem;
  while (need(timed) > limit && timed.batch > 1)
    timed.batch = (timed.batch + 1) / 2;
  while (need(timed) > limit && timed.heads_kv % 2 == 0) {
    timed.heads_kv /= 2;
    timed.heads_q /= 2;
  }
  if (const int64_t bytes = need(timed); bytes > limit) {
    fail(ATTUNE_ERROR_OUT_OF_MEMORY, "tuning {} needs {} bytes of scratch memory, {} are allowed ({} free)",
         describe(timed), bytes, limit, free);
  }
  return timed;
}

// Adds trials to the database as soon as they are known, so that what ends the run early loses nothing. A
// candidate that is over budget again, for the same reason, is not news; nor is a crash that was only read.
class TrialLog {
 public:
  TrialLog(const TuneReport& report, const TuneResources& resources, const Margin& margin,
           const std::vector<Record>& known)
      : report_(report), resources_(resources), margin_(margin), known_(known) {}

  void add(const Trial& trial) {
    if (!trial.tried || trial.reused) return;
    const Record record = record_as_tried(trial);
    const auto same = [&](const Record& old) {
      return old.outcome == Outcome::over_budget && is_of(old, trial.candidate) &&
             old.reason == record.reason;
    };
    const bool is_news =
        trial.outcome != Outcome::over_budget || std::none_of(known_.begin(), known_.end(), same);
    if (is_news) resources_.database.add(record);
  }

  // Tries a candidate that may take this process along, or whose worker may hang until somebody kills them
  // all: while it runs the database knows, and afterwards it has the outcome unless that is still to come.
  template <typename Try>
  void add_around(Trial& trial, const Try& run) {
    struct Running {
      TuningDb& database;
      const int64_t id;
      ~Running() { database.end(id); }
    };
    const Running running{resources_.database, resources_.database.begin(record_as_tried(trial))};
    try {
      run();
    } catch (const Error&) {
      if (trial.outcome != Outcome::ok) add(trial);  // the one that took the device with it
      throw;
    }
    if (trial.outcome != Outcome::ok) add(trial);
  }

 private:
  Record record_as_tried(const Trial& trial) const {
    return record_of(trial, report_.problem, report_.timed, resources_.backend, margin_);
  }

  const TuneReport& report_;
  const TuneResources& resources_;
  const Margin margin_;
  const std::vector<Record>& known_;
};

// Whether records say already what there is to know of this trial, which then takes it over: its time, or
// that it has crashed or hung.
bool answered(const std::vector<Record>& known, Trial& trial, const Problem& timed, const Toolchain& now,
              double replayed_below) {
  const Record* answer = find_crash(known, trial, now);
  if (!answer && trial.outcome == Outcome::ok) answer = find_answer(known, trial, timed, now, replayed_below);
  if (answer) reuse(*answer, trial);
  return answer != nullptr;
}

// The database ranks, so that a plan made now would choose the same; the winner is its best that was a trial
// here.
std::optional<size_t> find_winner(const TuneReport& report, TuningDb& database, const std::string& device,
                                  const std::string& bucket, const Toolchain& now) {
  for (const Choice& choice : database.ranked(device, bucket, now, describe(report.problem))) {
    for (size_t i = 0; i < report.trials.size(); ++i) {
      const Trial& trial = report.trials[i];
      const bool same = is_of(choice.record, trial.candidate) && trial.image_hash == choice.record.image_hash;
      if (same && trial.timed()) return i;
    }
  }
  return std::nullopt;
}

}  // namespace

TuneReport tune(const Problem& problem, const TuneResources& resources, const TuneOptions& options) {
  Backend& backend = resources.backend;
  TuneRun run(problem, options);
  run.report().trials = make_trials(problem, backend.device(), options);
  const Problem timed = run.report().timed = timing_problem(problem, backend, run.report().trials, options);

  const std::string device = device_key(backend.name(), backend.device());
  const std::string bucket = bucket_key(problem, backend.device().multiprocessors);
  const Toolchain now{backend.compiler().identity(), backend.driver_version()};
  const double by_replay_below = replayed_below(backend, timed);
  const std::vector<Record> known = resources.database.records({.device_key = device, .bucket = bucket});
  TrialLog log(run.report(), resources, options.margin, known);
  for (const Trial& trial : run.report().trials) {
    if (trial.outcome == Outcome::over_budget) log.add(trial);
  }

  const std::unique_ptr<TrialRunner> runner =
      resources.make_runner ? resources.make_runner(timed) : make_local_trial_runner(backend, timed);
  Compiler& asked = resources.compiler ? *resources.compiler : backend.compiler();
  KnownCrashes careful(asked, known, now);
  run.compile(options.force ? asked : careful, resources.images, resources.templates,
              [&](Trial& trial, const CompiledImage* image) {
                if (!options.force && answered(known, trial, timed, now, by_replay_below)) return;
                if (image) {
                  log.add_around(trial, [&] { runner->validate(trial, *image); });
                } else {
                  log.add(trial);
                }
              });

  std::vector<Trial*> to_time;
  for (Trial& trial : run.report().trials) {
    if (trial.outcome == Outcome::ok && !trial.reused) to_time.push_back(&trial);
  }
  if (!to_time.empty()) {
    run.begin("time", 1);
    runner->time(to_time, run.deadline());
    run.finished(fmt::format("{} candidates", to_time.size()));
  }
  for (const Trial* trial : to_time) {
    if (trial->timed() || trial->outcome != Outcome::ok) log.add(*trial);
  }
  const auto untimed = std::count_if(to_time.begin(), to_time.end(), [](const Trial* trial) {
    return trial->outcome == Outcome::ok && !trial->timed();
  });
  run.count_untimed(static_cast<size_t>(untimed), to_time.size());
  run.report().winner = find_winner(run.report(), resources.database, device, bucket, now);
  TuneReport report = run.finish();
  resources.log.info("tuned {} in {:.1f} s: {} trials, winner {}", describe(problem), report.seconds,
                     report.trials.size(),
                     report.winner ? to_string(report.trials[*report.winner].candidate.config) : "none");
  return report;
}

TuneReport compile_only(const Problem& problem, const DeviceSpec& device, Compiler& compiler,
                        CompiledImages& images, const TemplateStore& templates, const TuneOptions& options) {
  TuneRun run(problem, options);
  run.report().trials = make_trials(problem, device, options);
  run.compile(compiler, images, templates, [](Trial&, const CompiledImage*) {});
  return run.finish();
}

}  // namespace attune

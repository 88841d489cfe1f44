#include "capi/tuning.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "capi/struct_version.h"
#include "dispatch/lookup.h"
#include "problem/stages.h"

namespace {

using namespace attune;

// Where timings mean nothing, more candidates would teach nothing but that they are correct (EMULATOR.md).
constexpr size_t kCandidatesWithoutSpeed = 8;
constexpr size_t kFreeMemoryShare = 20;  // 5 %
constexpr double kMaxSeconds = 1e6;      // so that sums of times stay in range

size_t candidate_limit(const Backend& backend) {
  return backend.timings_mean_speed() ? 0 : kCandidatesWithoutSpeed;
}

int64_t scratch_limit(const attune_context& context) {
  if (context.replays()) return 0;  // no limit: recorded trials use none, and are of whole problems
  const size_t share = context.backend->free_bytes() / kFreeMemoryShare;
  const auto limit = static_cast<size_t>(context.options.tuning_scratch_bytes);
  return static_cast<int64_t>(std::max<size_t>(1, std::min(share, limit)));  // 0 would mean no limit
}

attune_tune_options checked(const attune_tune_options* given) {
  const attune_tune_options defaults = ATTUNE_TUNE_OPTIONS_INIT;
  attune_tune_options storage;
  const attune_tune_options& options = widened(given ? given : &defaults, storage);
  if (!(options.seconds >= 0 && options.seconds <= kMaxSeconds)) {  // NaN, too
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "attune_tune_options: seconds = {} is not in [0, {}]",
         options.seconds, kMaxSeconds);
  }
  if (options.force != 0 && options.force != 1) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "attune_tune_options: force = {} is neither 0 nor 1", options.force);
  }
  if (options.reserved != 0) {
    fail(ATTUNE_ERROR_UNSUPPORTED, "attune_tune_options: reserved = {} must be 0 in this version",
         options.reserved);
  }
  return options;
}

Status status_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::over_budget:
      return ATTUNE_ERROR_NO_FEASIBLE_CONFIG;
    case Outcome::compile_failed:
      return ATTUNE_ERROR_COMPILE_FAILED;
    case Outcome::launch_failed:
    case Outcome::timed_out:
    case Outcome::crashed:
      return ATTUNE_ERROR_LAUNCH_FAILED;
    case Outcome::ok:
    case Outcome::wrong_result:
    case Outcome::running:
      break;
  }
  return ATTUNE_ERROR_INTERNAL;
}

// A run that tried everything and found nothing that works is an error; one that its bound ended is not.
void require_winner(const TuneReport& report, const Log& log) {
  if (report.winner) return;
  if (!report.complete) {
    log.warning("tuning {} ended without a winner: {}", describe(report.problem), report.note);
    return;
  }
  for (const Trial& trial : report.trials) {
    if (trial.outcome == Outcome::ok) continue;
    fail(status_of(trial.outcome), "none of {} candidates for {} works; the first: {}: {}: {}",
         report.trials.size(), describe(report.problem), to_string(trial.candidate.config),
         name_of(trial.outcome), trial.reason);
  }
  fail(ATTUNE_ERROR_INTERNAL, "none of {} candidates for {} was timed: {}", report.trials.size(),
       describe(report.problem), report.note);
}

// Whatever becomes of a run, its trials are on record, and plans made before do not know them.
struct ForgetPlans {
  attune_context& context;
  const Problem& problem;

  ~ForgetPlans() { context.plans.forget(static_key(problem)); }
};

void tune_on_request(attune_context& context, const Problem& problem, const attune_tune_options& options) {
  const PlannerResources resources = context.planner_resources();
  const ForgetPlans forget{context, problem};
  const TuneReport report = tune(problem, context.tune_resources(),
                                 {.seconds = options.seconds * tuning_share(problem.operation),
                                  .force = options.force == 1,
                                  .margin = context.options.margin,
                                  .scratch_bytes = 0,
                                  .max_candidates = candidate_limit(*context.backend),
                                  .seeds = Lookup(problem, resources).seeds(),
                                  .progress = {}});
  require_winner(report, context.log);
}

}  // namespace

TuningPolicy attune::planning_policy(const attune_context& context) {
  const bool miss = context.options.tuning == TuningPolicy::miss;
  return miss && !context.backend->timings_mean_speed() ? TuningPolicy::off : context.options.tuning;
}

void attune::tune_for_plan(attune_context& context, const Problem& problem,
                           const std::vector<Candidate>& seeds) {
  // Races of one context take turns, since they would disturb each other's times. Waiting counts as tuning.
  const double bound = context.options.tuning_seconds * tuning_share(problem.operation);
  const auto start = std::chrono::steady_clock::now();
  const std::unique_lock lock(context.tuning, std::chrono::duration<double>(bound));
  const double seconds =
      bound - std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!lock || seconds <= 0) {
    fail(ATTUNE_ERROR_INTERNAL, "{} s have passed while this context was tuning another problem", bound);
  }
  const ForgetPlans forget{context, problem};
  tune(problem, context.tune_resources(seconds),
       {.seconds = seconds,
        .force = context.options.tuning == TuningPolicy::force,
        .margin = context.options.margin,
        .scratch_bytes = scratch_limit(context),
        .max_candidates = candidate_limit(*context.backend),
        .seeds = seeds,
        .progress = {}});
}

attune_status attune_context_tune(attune_context_t context, const attune_attention_desc* desc,
                                  const attune_tune_options* options) {
  return boundary(context, [&](attune_context& known) {
    attune_attention_desc storage;
    const Problem problem = problem_from_desc(widened(desc, storage));
    const attune_tune_options wanted = checked(options);
    if (known.is_reference()) {
      fail(ATTUNE_ERROR_UNSUPPORTED,
           "the device is reference, which has no kernels: there is nothing to tune");
    }
    if (problem.batch == 0 || problem.seqlen_q == 0 || problem.seqlen_kv == 0) {
      fail(ATTUNE_ERROR_INVALID_ARGUMENT,
           "there is nothing to time: max_batch = {}, max_seqlen_q = {}, max_seqlen_kv = {}", problem.batch,
           problem.seqlen_q, problem.seqlen_kv);
    }
    const std::lock_guard lock(known.tuning);
    for (const Problem& stage : stages_of(problem))
      tune_on_request(known, stage, wanted);
  });
}

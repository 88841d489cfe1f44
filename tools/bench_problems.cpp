#include "tools/bench_problems.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "base/error.h"
#include "capi/tuning.h"
#include "measure/timer.h"
#include "problem/stages.h"
#include "tune/scratch_workspace.h"
#include "tune/timing_scratch.h"
#include "tune/validation.h"

namespace attune {
namespace {

// One launch of a problem that is being timed, with what it reads and writes.
struct StageRunner {
  StageRunner(Backend& backend, const Plan& plan_)
      : plan(plan_),
        scratch(backend, plan_.capacity()),
        workspace(backend, plan_.family(), plan_.capacity(), plan_.config()) {
    Arguments arguments = scratch.arguments();
    arguments.workspace = workspace.data();
    plan.family().pack(plan.capacity(), plan.config(), arguments, backend.tensor_maps(), launch,
                       backend.device().multiprocessors);
  }
  const Plan& plan;
  const TimingScratch scratch;
  const ScratchWorkspace workspace;
  Launch launch;
};

// A problem that is being timed.
struct Runner {
  BenchRow& row;
  std::vector<std::unique_ptr<StageRunner>> stages;
};

// The plan, or those it is made of.
std::vector<const Plan*> parts_of(const Plan& plan) {
  if (plan.stages().empty()) return {&plan};
  std::vector<const Plan*> parts;
  for (const auto& stage : plan.stages())
    parts.push_back(stage.get());
  return parts;
}

int64_t scratch_bytes(const Problem& problem) {
  int64_t bytes = 0;
  for (const Problem& stage : stages_of(problem)) {
    if (__builtin_add_overflow(bytes, TimingScratch::bytes(stage), &bytes)) return INT64_MAX;
  }
  return bytes;
}

// Errors that concern one problem alone go into its row.
template <typename Work>
bool succeeds(BenchRow& row, Work&& work) {
  try {
    work();
    return true;
  } catch (const Error& error) {
    if (error.status() == ATTUNE_ERROR_CONTEXT_LOST) throw;
    row.refused = error.what();
    return false;
  }
}

std::unique_ptr<Plan> planned(attune_context& context, BenchRow& row) {
  std::unique_ptr<Plan> plan;
  succeeds(row, [&] {
    const TuneHook hook = [&](const Problem& wanted, const std::vector<Candidate>& seeds) {
      tune_for_plan(context, wanted, seeds);
    };
    auto made = make_plan(row.problem, context.planner_resources(), planning_policy(context), hook);
    row.config = made->config_text();
    row.match = made->match();
    Comparison comparison;
    for (const Plan* part : parts_of(*made)) {
      const Validation validation(part->capacity());
      comparison = worse_of(
          comparison, validation.check(*context.backend, part->family(), part->config(), part->module()));
    }
    row.error = comparison.worst_ratio;
    if (!comparison.ok) fail(ATTUNE_ERROR_INTERNAL, "WRONG: {}", comparison.reason);
    plan = std::move(made);
  });
  return plan;
}

std::unique_ptr<Runner> runner_for(Backend& backend, const Plan& plan, BenchRow& row) {
  std::unique_ptr<Runner> runner;
  succeeds(row, [&] {
    auto made = std::make_unique<Runner>(Runner{row, {}});
    for (const Plan* part : parts_of(plan))
      made->stages.push_back(std::make_unique<StageRunner>(backend, *part));
    runner = std::move(made);
  });
  return runner;
}

// A problem of several launches takes the sum of their times: each is timed alone, its L2 cache cold.
void time_once(Backend& backend, Runner& runner, const TimeBudget& budget) {
  std::vector<double> sums;
  for (const auto& stage : runner.stages) {
    const TimedLaunch timed{&stage->plan.module(), &stage->launch};
    const std::vector<double> samples = measure_candidates(backend, std::span(&timed, 1), budget)[0].samples;
    if (sums.empty()) sums.resize(samples.size());
    sums.resize(std::min(sums.size(), samples.size()));
    for (size_t i = 0; i < sums.size(); ++i)
      sums[i] += samples[i];
  }
  std::vector<double> samples = std::move(runner.row.time.samples);
  samples.insert(samples.end(), sums.begin(), sums.end());
  runner.row.time = measurement_of(std::move(samples));
  runner.row.round_seconds.push_back(median_of(std::move(sums)));
}

// NOTE: each turn is a race of one. A race of several would drop the slower problems, which is right for
// candidates and wrong here.
void time_group(Backend& backend, std::vector<std::unique_ptr<Runner>> runners, const BenchOptions& options) {
  const bool means_speed = backend.timings_mean_speed();
  const TimeBudget budget{.warm_up = means_speed ? 2 : 0,
                          .samples_per_round = means_speed ? options.calls : 1,
                          .maximum_rounds = 1};
  const int rounds = means_speed ? options.rounds : 1;
  for (int round = 0; round < rounds; ++round) {
    std::erase_if(runners, [&](const std::unique_ptr<Runner>& runner) {
      return !succeeds(runner->row, [&] { time_once(backend, *runner, budget); });
    });
    if (runners.size() > 1) std::rotate(runners.begin(), runners.begin() + 1, runners.end());
  }
}

// Half of what is free: other programs, and the buffer that flushes the L2 cache, need room, too.
int64_t scratch_limit(const Backend& backend) {
  const size_t half = backend.free_bytes() / 2;
  return static_cast<int64_t>(std::min<size_t>(half, std::numeric_limits<int64_t>::max()));
}

}  // namespace

std::vector<std::vector<size_t>> groups_within(std::span<const int64_t> bytes, int64_t limit) {
  std::vector<std::vector<size_t>> groups;
  int64_t used = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (groups.empty() || bytes[i] > limit - used) {
      groups.emplace_back();
      used = 0;
    }
    groups.back().push_back(i);
    used += std::min(bytes[i], limit);
  }
  return groups;
}

std::vector<BenchRow> bench_problems(attune_context& context, std::span<const Problem> problems,
                                     const BenchOptions& options) {
  Backend& backend = *context.backend;
  std::vector<BenchRow> rows;
  std::vector<std::unique_ptr<Plan>> plans;
  std::vector<int64_t> bytes;
  for (const Problem& problem : problems) {
    rows.push_back({.problem = problem, .time = measurement_of({})});
    plans.push_back(planned(context, rows.back()));
    bytes.push_back(plans.back() ? scratch_bytes(problem) : 0);
  }
  for (const std::vector<size_t>& group : groups_within(bytes, scratch_limit(backend))) {
    std::vector<std::unique_ptr<Runner>> runners;
    for (const size_t i : group) {
      if (!plans[i]) continue;
      if (auto runner = runner_for(backend, *plans[i], rows[i])) runners.push_back(std::move(runner));
    }
    time_group(backend, std::move(runners), options);
  }
  return rows;
}

}  // namespace attune

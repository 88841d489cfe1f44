#include "tools/bench_problems.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "base/error.h"
#include "capi/tuning.h"
#include "measure/timer.h"
#include "tune/timing_scratch.h"
#include "tune/validation.h"

namespace attune {
namespace {

// A problem that is being timed: what its launch reads and writes.
struct Runner {
  BenchRow& row;
  const Plan& plan;
  TimingScratch scratch;
  Launch launch;
};

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
    const Comparison comparison =
        Validation(row.problem).check(*context.backend, made->family(), made->config(), made->module());
    row.error = comparison.worst_ratio;
    if (!comparison.ok) fail(ATTUNE_ERROR_INTERNAL, "WRONG: {}", comparison.reason);
    plan = std::move(made);
  });
  return plan;
}

std::unique_ptr<Runner> runner_for(Backend& backend, const Plan& plan, BenchRow& row) {
  std::unique_ptr<Runner> runner;
  succeeds(row, [&] {
    auto made = std::make_unique<Runner>(Runner{row, plan, TimingScratch(backend, row.problem), {}});
    plan.family().pack(row.problem, plan.config(), made->scratch.arguments(), backend.tensor_maps(),
                       made->launch);
    runner = std::move(made);
  });
  return runner;
}

void time_once(Backend& backend, Runner& runner, const TimeBudget& budget) {
  const TimedLaunch timed{&runner.plan.module(), &runner.launch};
  const std::vector<Measurement> round = measure_candidates(backend, std::span(&timed, 1), budget);
  std::vector<double> samples = std::move(runner.row.time.samples);
  samples.insert(samples.end(), round[0].samples.begin(), round[0].samples.end());
  runner.row.time = measurement_of(std::move(samples));
  runner.row.round_seconds.push_back(round[0].median);
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
    bytes.push_back(plans.back() ? TimingScratch::bytes(problem) : 0);
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

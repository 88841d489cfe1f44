// Demo, step 5: what is cached. The first plan of a problem tunes and compiles; no later one does, nor
// another process.
#include <fmt/format.h>

#include <chrono>

#include "base/files.h"
#include "capi/context.h"
#include "cli/units.h"
#include "dispatch/planner.h"
#include "tools/demo_steps.h"

namespace attune {
namespace {

// Bounds on tuning; on the emulator trials are slow and none says anything of speed.
constexpr double kTuningSeconds = 10;
constexpr size_t kSimtCandidates = 2;

struct PlanCost {
  double seconds = 0;
  int64_t compiled = 0;
  int64_t from_disk = 0;
  size_t trials = 0;
  std::string config;
  Match match = Match::by_default;
};

PlanCost plan_once(attune_context& context) {
  TuneOptions options;
  options.seconds = kTuningSeconds;
  if (!context.backend->timings_mean_speed()) options.max_candidates = kSimtCandidates;
  const auto tune_it = [&](const Problem& problem, const std::vector<Candidate>& seeds) {
    options.seeds = seeds;
    tune(problem, context.tune_resources(), options);
  };

  const ImageCounts before = context.images.counts();
  const size_t trials_before = context.database->records().size();
  const auto start = std::chrono::steady_clock::now();
  const std::unique_ptr<Plan> plan =
      make_plan(small_problem(), context.planner_resources(), TuningPolicy::miss, tune_it);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const ImageCounts after = context.images.counts();
  return {.seconds = seconds,
          .compiled = after.builds - before.builds,
          .from_disk = after.hits_disk - before.hits_disk,
          .trials = context.database->records().size() - trials_before,
          .config = plan->config_text(),
          .match = plan->match()};
}

void show(const char* which, const PlanCost& cost) {
  demo_line(fmt::format("{:<28}{:>9.1f} ms: {} compiled, {} trials, {} from disk, match {}", which,
                        1e3 * cost.seconds, cost.compiled, cost.trials, cost.from_disk,
                        cost.match == Match::exact ? "exact" : "default"));
}

bool is_free(const PlanCost& cost, const PlanCost& first) {
  return cost.compiled == 0 && cost.trials == 0 && cost.config == first.config && cost.match == Match::exact;
}

}  // namespace

bool demo_cached(const DemoMachine& machine) {
  demo_heading(5, fmt::format("What is cached? Plans of {}", describe(small_problem())));
  if (!machine.has_gpu() && !machine.has_emulator()) {
    demo_line("skipped: neither a GPU nor a host compiler here");
    return true;
  }
  const ScratchDirectory scratch;  // the user's cache is not for shows
  const std::string cache = scratch.path() / "cache";
  attune_context_options asked = ATTUNE_CONTEXT_OPTIONS_INIT;
  asked.device = machine.has_gpu() ? "cuda" : "simt";
  asked.cache_dir = cache.c_str();
  const ContextOptions options = resolve_options(&asked);

  attune_context context(options);
  const PlanCost first = plan_once(context);
  const PlanCost second = plan_once(context);
  attune_context other(options);
  const PlanCost third = plan_once(other);
  show("the first plan", first);
  show("a second plan", second);
  show("a plan of another context", third);
  demo_line("all three: " + first.config);
  if (first.match != Match::exact) {
    demo_line(
        fmt::format("WRONG: tuning within {:g} s left nothing for the first plan to use", kTuningSeconds));
    return false;
  }
  const bool free = is_free(second, first) && is_free(third, first);
  if (!free) demo_line("WRONG: a later plan compiled, tuned or chose another config");
  return free;
}

}  // namespace attune

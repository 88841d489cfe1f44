// PlannerBench: a TuningBench that plans, with any number of databases.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dispatch/planner.h"
#include "support/tuning_bench.h"

namespace attune {

inline const Config kChosen = flash_config(128, 32, 4, 2, 0);  // not what the cost model would take

struct PlannerBench : TuningBench {
  using TuningBench::TuningBench;

  int tunings = 0;
  Margin margin;
  std::vector<std::unique_ptr<TuningDb>> further;  // asked after the user's

  // A record of this problem as tuning would have left it. (Compiled aside, so that no count changes.)
  Record record(const Problem& problem, const Config& config, double seconds = 1e-3) const {
    FakeCompiler compiler(backend.script);
    const KernelSource source = specialize(templates, *find_family("flash_fwd"), problem, config);
    return {.device_key = device_key(),
            .static_key = static_key(problem),
            .bucket = bucket(problem),
            .family = "flash_fwd",
            .config = to_string(config),
            .image_hash = compiler.compile(source).image.value().hash,
            .median_seconds = seconds,
            .ci_low_seconds = seconds,
            .ci_high_seconds = seconds,
            .compiler = "fake 1.0",
            .driver = "driver 1.0",
            .batch = problem.batch,
            .heads_q = problem.heads_q,
            .heads_kv = problem.heads_kv,
            .seqlen_q = problem.seqlen_q,
            .seqlen_kv = problem.seqlen_kv,
            .shape = describe(problem)};
  }

  TuningDb& add_database() { return *further.emplace_back(TuningDb::open(std::nullopt, log)); }

  PlannerResources resources() {
    std::vector<TuningDb*> databases = {database.get()};
    for (const std::unique_ptr<TuningDb>& one : further)
      databases.push_back(one.get());
    return {backend, templates, *images, *modules, std::move(databases), margin, log};
  }

  std::unique_ptr<Plan> plan(const Problem& problem, TuningPolicy policy, const TuneHook& hook) {
    return make_plan(problem, resources(), policy, hook);
  }
  std::unique_ptr<Plan> plan(const Problem& problem, TuningPolicy policy) {
    return plan(problem, policy, [this](const Problem& asked, const std::vector<Candidate>& seeds) {
      ++tunings;
      tune(asked, {.margin = margin, .seeds = seeds});
    });
  }

  std::string models_choice(const Problem& problem) const {
    const Candidate first = enumerate_candidates(problem, backend.spec, margin).front();
    return std::string(first.family->name()) + " " + to_string(first.config);
  }
};

}  // namespace attune

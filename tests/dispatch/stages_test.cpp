// Plans of several stages: each is found and tuned like a plan of its own.
#include <stdexcept>

#include "dispatch/plan_cache.h"
#include "dispatch/planner_bench.h"
#include "support/catch.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

namespace {

Problem small_backward() {
  Problem problem = kSmallAttention;
  problem.operation = Operation::backward;
  return problem;
}

Problem stage_of(Operation operation) {
  Problem problem = kSmallAttention;
  problem.operation = operation;
  return problem;
}

// A record of a stage's last candidate, which the cost model would not take.
Record record_of_last(const PlannerBench& bench, const Problem& stage) {
  std::vector<Candidate> candidates = enumerate_candidates(stage, bench.backend.spec, {});
  std::erase_if(candidates, [](const Candidate& candidate) { return !candidate.verdict.fits; });
  FakeCompiler compiler(bench.backend.script);
  const Candidate& last = candidates.back();
  Record record = bench.record(kSmallAttention, kChosen);
  record.static_key = static_key(stage);
  record.bucket = bench.bucket(stage);
  record.family = last.family->name();
  record.config = to_string(last.config);
  record.image_hash =
      compiler.compile(specialize(bench.templates, *last.family, stage, last.config)).image->hash;
  return record;
}

}  // namespace

TEST_CASE("a plan of backward has a stage for each launch, in order") {
  PlannerBench bench;
  const auto plan = bench.plan(small_backward(), TuningPolicy::off);
  REQUIRE(plan->stages().size() == 3);
  CHECK(plan->capacity() == small_backward());
  std::string texts;
  for (const Operation operation :
       {Operation::backward_delta, Operation::backward_dkv, Operation::backward_dq})
    texts += (texts.empty() ? "" : "; ") + bench.models_choice(stage_of(operation));
  CHECK(plan->config_text() == texts);
  CHECK(plan->stages()[1]->family().name() == "flash_bwd_dkv");
  CHECK_THROWS_AS(plan->family(), std::out_of_range);
  CHECK(plan->workspace_bytes() == 2 * 128 * 2 * sizeof(float));
  CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->stages().empty());
}

TEST_CASE("stages take their own records, and the plan's match is that of the least known") {
  PlannerBench bench;
  const uint64_t unknown = bench.plan(small_backward(), TuningPolicy::off)->fingerprint();
  for (const Operation operation : {Operation::backward_dkv, Operation::backward_dq})
    REQUIRE(bench.database->add(record_of_last(bench, stage_of(operation))));
  auto plan = bench.plan(small_backward(), TuningPolicy::off);
  CHECK(plan->stages()[1]->match() == Match::exact);
  CHECK(plan->match() == Match::by_default);
  CHECK_FALSE(plan->is_fresh());
  CHECK(plan->fingerprint() != unknown);
  REQUIRE(bench.database->add(record_of_last(bench, stage_of(Operation::backward_delta))));
  plan = bench.plan(small_backward(), TuningPolicy::off);
  CHECK(plan->match() == Match::exact);
  CHECK(plan->is_fresh());
}

TEST_CASE("each stage that is not known is tuned") {
  PlannerBench bench;
  REQUIRE(bench.database->add(record_of_last(bench, stage_of(Operation::backward_dkv))));
  std::string tuned;
  bench.plan(small_backward(), TuningPolicy::miss,
             [&](const Problem& problem, const std::vector<Candidate>&) {
               tuned += std::string(name_of(problem.operation)) + " ";
             });
  CHECK(tuned == "backward_delta backward_dq ");
}

TEST_CASE("plans are forgotten when something is learnt of one of their stages") {
  PlannerBench bench;
  PlanCache plans;
  int made = 0;
  const auto get = [&] {
    plans.get_or_make(small_backward(), [&]() -> PlanCache::Made {
      ++made;
      return {.plan = bench.plan(small_backward(), TuningPolicy::off), .generation = plans.generation()};
    });
    return made;
  };
  CHECK(get() == 1);
  CHECK(get() == 1);
  plans.forget(static_key(kSmallAttention));
  CHECK(get() == 1);
  plans.forget(static_key(stage_of(Operation::backward_dq)));
  CHECK(get() == 2);
}

// make_plan: record, tuning or cost model, and what happens when one of them is not to be had.
#include "dispatch/planner.h"

#include <stdexcept>

#include "dispatch/planner_bench.h"
#include "support/catch.h"
#include "support/caught.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("without a record, off takes the cost model's choice and times nothing") {
  PlannerBench bench;
  const auto plan = bench.plan(kSmallAttention, TuningPolicy::off);
  CHECK(plan->match() == Match::by_default);
  CHECK(plan->config_text() == bench.models_choice(kSmallAttention));
  CHECK(plan->family().name() == "flash_fwd");
  CHECK(plan->capacity() == kSmallAttention);
  CHECK(bench.tunings == 0);
  CHECK(bench.backend.timed() == 0);
  CHECK(bench.backend.fake_compiler.compilations == 1);
}

TEST_CASE("miss tunes once, and every later plan of the bucket finds the record") {
  PlannerBench bench;
  bench.backend.script[kChosen].seconds = 0.5e-3;
  const auto first = bench.plan(kSmallAttention, TuningPolicy::miss);
  CHECK(bench.tunings == 1);
  CHECK(first->match() == Match::exact);
  CHECK(first->config() == kChosen);
  CHECK(first->config_text() == "flash_fwd " + to_string(kChosen));

  const int timed = bench.backend.timed();
  Problem neighbour = kSmallAttention;
  neighbour.seqlen_q = 17;  // the class of 64
  for (const TuningPolicy policy : {TuningPolicy::miss, TuningPolicy::off}) {
    const auto plan = bench.plan(neighbour, policy);
    CHECK(plan->match() == Match::exact);
    CHECK(plan->config() == kChosen);
    CHECK(plan->capacity().seqlen_q == 17);
  }
  CHECK(bench.tunings == 1);
  CHECK(bench.backend.timed() == timed);
  neighbour.seqlen_q = 16;
  bench.plan(neighbour, TuningPolicy::miss);
  CHECK(bench.tunings == 2);
}

TEST_CASE("force tunes although a fresh record exists, and takes the new winner") {
  PlannerBench bench;
  REQUIRE(bench.database->add(bench.record(kSmallAttention, kChosen, 0.9e-3)));
  CHECK(bench.plan(kSmallAttention, TuningPolicy::miss)->config() == kChosen);
  CHECK(bench.tunings == 0);
  bench.backend.script[flash_config(64, 128, 4, 1, 0)].seconds = 1e-4;
  CHECK(bench.plan(kSmallAttention, TuningPolicy::force)->config() == flash_config(64, 128, 4, 1, 0));
  CHECK(bench.tunings == 1);
}

TEST_CASE("the fastest record decides, not the newest") {
  PlannerBench bench;
  REQUIRE(bench.database->add(bench.record(kSmallAttention, kChosen, 1e-3)));
  REQUIRE(bench.database->add(bench.record(kSmallAttention, flash_config(64, 32, 4, 1, 0), 2e-3)));
  CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->config() == kChosen);
}

// A row that a stranger wrote, faster than every honest one.
TEST_CASE("a hostile record is passed over, with its reason in the log") {
  struct Hostile {
    const char* family;
    std::string config;
    const char* reason;
  };
  const std::string honest = to_string(flash_config(64, 32, 4, 1, 0));
  const Hostile hostile = GENERATE_COPY(values<Hostile>({
      {"flash_fwd", "BLOCK_M=65 BLOCK_N=32 WARPS=4 STAGES=1 Q_IN_REGISTERS=0 KEEP_PLACES=0 TENSOR_COPIES=0",
       "BLOCK_M = 65 is not one of 64, 128"},
      {"flash_fwd", "BLOCK_M=64 BLOCK_N=32 WARPS=8 STAGES=1 Q_IN_REGISTERS=0 KEEP_PLACES=0 TENSOR_COPIES=0",
       "a warp owns one or two fragments of 16 rows does not hold"},
      {"flash_fwd", honest + " EVIL=1", "8 parameters instead of 7"},
      {"flash_fwd", "BLOCK_M=64", "1 parameters instead of 7"},
      {"flash_fwd", "BLOCK_M=64); system(\"true\"); //", "its config cannot be read"},
      {"flash_fwd", "", "its config cannot be read"},
      {"flash_fwd_sm100", honest, "family flash_fwd_sm100 is unknown"},
      {"../../flash_fwd", honest, "family ../../flash_fwd is unknown"},
      {"row_softmax", "WARPS=4 ROWS_PER_BLOCK=2", "row_softmax computes row_softmax only"},
      // In the space, but (128 + 4 * 128) rows of 480 bytes.
      {"flash_fwd", to_string(flash_config(128, 128, 4, 2, 0)), "smem 307200 > 232448"},
  }));
  INFO(hostile.family << " " << hostile.config);
  PlannerBench bench;
  Problem problem = kSmallAttention;
  problem.head_dim = problem.head_dim_v = 240;
  Record record = bench.record(problem, kChosen, 1e-6);
  record.family = hostile.family;
  record.config = hostile.config;
  REQUIRE(bench.database->add(record));

  // Alone it counts for nothing: the cost model decides, and miss would tune.
  const auto by_model = bench.plan(problem, TuningPolicy::off);
  CHECK(by_model->match() == Match::by_default);
  CHECK(by_model->config_text() == bench.models_choice(problem));
  CHECK(bench.capture.count(ATTUNE_LOG_DEBUG, hostile.reason) == 1);
  CHECK(bench.capture.count(ATTUNE_LOG_DEBUG, "record 1 is not used: ") == 1);
  int asked = 0;
  bench.plan(problem, TuningPolicy::miss, [&](const Problem&, const std::vector<Candidate>&) { ++asked; });
  CHECK(asked == 1);

  // Beside an honest record, that one is used.
  REQUIRE(bench.database->add(bench.record(problem, flash_config(64, 64, 4, 1, 0), 1e-3)));
  const auto by_record = bench.plan(problem, TuningPolicy::off);
  CHECK(by_record->match() == Match::exact);
  CHECK(by_record->config() == flash_config(64, 64, 4, 1, 0));
}

TEST_CASE("a record within the device's limit but beyond the margin is not used") {
  PlannerBench bench;
  Problem problem = kSmallAttention;
  problem.head_dim = problem.head_dim_v = 256;
  const Config large = flash_config(64, 128, 4, 1, 0);  // (64 + 2 * 128) rows of 512 bytes = 163840
  REQUIRE(bench.database->add(bench.record(problem, large)));
  CHECK(bench.plan(problem, TuningPolicy::off)->config() == large);
  bench.margin = {.bytes = 70000};
  CHECK_FALSE(bench.plan(problem, TuningPolicy::off)->config() == large);
  CHECK(bench.capture.count(ATTUNE_LOG_DEBUG, "smem 163840 > 162448 (device 232448, margin 0 % + 70000 B)") ==
        1);
}

TEST_CASE("a stale record is used under off, and asks for tuning under miss") {
  PlannerBench bench;
  Record stale = bench.record(kSmallAttention, kChosen);
  SECTION("of another compiler") {
    stale.compiler = "fake 0.9";
  }
  SECTION("of another driver major") {
    stale.driver = "driver 7.0";
  }
  REQUIRE(bench.database->add(stale));
  const auto plan = bench.plan(kSmallAttention, TuningPolicy::off);
  CHECK(plan->config() == kChosen);
  CHECK(plan->match() == Match::exact);
  CHECK(bench.tunings == 0);
  bench.backend.script[flash_config(64, 128, 4, 1, 0)].seconds = 1e-4;
  CHECK(bench.plan(kSmallAttention, TuningPolicy::miss)->config() == flash_config(64, 128, 4, 1, 0));
  CHECK(bench.tunings == 1);
}

namespace {

// Tunes, and then changes the templates: what was the fastest config is the slowest with its new image.
void tune_and_change_templates(PlannerBench& bench) {
  bench.backend.script[kChosen].seconds = 0.5e-3;
  CHECK(bench.plan(kSmallAttention, TuningPolicy::miss)->config() == kChosen);
  CHECK(bench.tunings == 1);
  bench.forget_images();
  bench.forget_modules();
  bench.backend.script.otherwise.image_version = 1;
  bench.backend.script[kChosen] = {.seconds = 4e-3, .image_version = 1};
}

}  // namespace

TEST_CASE("a record of another image is stale") {
  PlannerBench bench;
  tune_and_change_templates(bench);
  CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->config() == kChosen);  // better than none
  CHECK(bench.tunings == 1);
  bench.plan(kSmallAttention, TuningPolicy::miss);
  CHECK(bench.tunings == 2);
}

TEST_CASE("the time of an image that is gone is forgotten once the new image has one") {
  PlannerBench bench;
  tune_and_change_templates(bench);
  const auto plan = bench.plan(kSmallAttention, TuningPolicy::miss);
  CHECK_FALSE(plan->config() == kChosen);
  CHECK(plan->match() == Match::exact);
  bench.plan(kSmallAttention, TuningPolicy::miss);
  CHECK(bench.tunings == 2);
}

TEST_CASE("a record whose kernel does not compile any more is passed over") {
  PlannerBench bench;
  REQUIRE(bench.database->add(bench.record(kSmallAttention, kChosen, 1e-6)));
  REQUIRE(bench.database->add(bench.record(kSmallAttention, flash_config(64, 64, 4, 1, 0), 1e-3)));
  bench.backend.script[kChosen].fault = Fault::does_not_compile;
  CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->config() == flash_config(64, 64, 4, 1, 0));
}

TEST_CASE("when tuning fails, the next best choice is taken with one warning") {
  PlannerBench bench;
  const auto failing = [](const Problem&, const std::vector<Candidate>&) {
    fail(ATTUNE_ERROR_OUT_OF_MEMORY, "tuning needs {} bytes, {} are allowed", 7, 6);
  };
  SECTION("nothing is known: the cost model's") {
    const auto plan = bench.plan(kSmallAttention, TuningPolicy::miss, failing);
    CHECK(plan->match() == Match::by_default);
    CHECK(plan->config_text() == bench.models_choice(kSmallAttention));
  }
  SECTION("a stale record") {
    Record stale = bench.record(kSmallAttention, kChosen);
    stale.compiler = "fake 0.9";
    REQUIRE(bench.database->add(stale));
    const auto plan = bench.plan(kSmallAttention, TuningPolicy::miss, failing);
    CHECK(plan->match() == Match::exact);
    CHECK(plan->config() == kChosen);
  }
  SECTION("a fresh record, under force") {
    REQUIRE(bench.database->add(bench.record(kSmallAttention, kChosen)));
    CHECK(bench.plan(kSmallAttention, TuningPolicy::force, failing)->config() == kChosen);
  }
  CHECK(bench.capture.count(ATTUNE_LOG_WARNING) == 1);
  CHECK(bench.capture.count(ATTUNE_LOG_WARNING, "tuning needs 7 bytes, 6 are allowed") == 1);
}

TEST_CASE("a candidate that was proven wrong is not taken, the next one is") {
  PlannerBench bench;
  const std::vector<Candidate> candidates = enumerate_candidates(kSmallAttention, bench.backend.spec, {});
  bench.backend.script[candidates[0].config].fault = Fault::writes_one_nan;
  bench.tune(kSmallAttention);
  bench.database = TuningDb::open(std::nullopt, bench.log);
  SECTION("nothing is known of it") {
    CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->config() == candidates[0].config);
  }
  SECTION("its trial is on record") {
    Record wrong = bench.record(kSmallAttention, candidates[0].config);
    wrong.outcome = Outcome::wrong_result;
    wrong.reason = "o: max error 1";
    wrong.median_seconds = wrong.ci_low_seconds = wrong.ci_high_seconds = 0;
    REQUIRE(bench.database->add(wrong));
    CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->config() == candidates[1].config);
    CHECK(bench.capture.count(ATTUNE_LOG_WARNING, "wrong_result: o: max error 1") == 1);
  }
  SECTION("it does not even compile") {
    bench.forget_images();
    bench.backend.script[candidates[0].config].fault = Fault::does_not_compile;
    CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->config() == candidates[1].config);
  }
}

TEST_CASE("when every candidate is known to be wrong, there is no plan") {
  PlannerBench bench;
  bench.backend.script.otherwise.fault = Fault::writes_one_nan;
  const Caught error = caught([&] { bench.plan(kSmallAttention, TuningPolicy::miss); });
  CHECK(bench.tunings == 1);
  CHECK(error.status == ATTUNE_ERROR_LAUNCH_FAILED);
  CHECK_THAT(error.message, ContainsSubstring("was tried before and failed: wrong_result"));
}

TEST_CASE("the compiler is not asked again, for a plan either, for what it crashed at") {
  PlannerBench bench;
  const Candidate first = enumerate_candidates(kSmallAttention, bench.backend.spec, {}).front();
  const KernelSource source = specialize(bench.templates, *first.family, kSmallAttention, first.config);
  Record crash = bench.record(kSmallAttention, kChosen);
  crash.family = first.family->name();
  crash.config = to_string(first.config);
  crash.outcome = Outcome::crashed;
  crash.median_seconds = crash.ci_low_seconds = crash.ci_high_seconds = 0;
  crash.image_hash = source_mark("of another template");
  REQUIRE(bench.database->add(crash));
  const std::string choice = bench.models_choice(kSmallAttention);
  CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->config_text() == choice);

  crash.image_hash = source_mark(source.hash);
  REQUIRE(bench.database->add(crash));
  bench.forget_images();
  CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->config_text() != choice);
  CHECK(bench.capture.count(ATTUNE_LOG_WARNING, "is not compiled again: crashed") == 1);
}

TEST_CASE("an obstacle of any kind leaves the choice to the cost model") {
  PlannerBench bench;
  const auto plan = bench.plan(
      kSmallAttention, TuningPolicy::miss,
      [](const Problem&, const std::vector<Candidate>&) { throw std::runtime_error("no threads left"); });
  CHECK(plan->match() == Match::by_default);
  CHECK(bench.capture.count(ATTUNE_LOG_WARNING, "no threads left") == 1);
}

TEST_CASE("a lost context is no obstacle to go around") {
  PlannerBench bench;
  CHECK(caught([&] {
          bench.plan(kSmallAttention, TuningPolicy::miss, [](const Problem&, const std::vector<Candidate>&) {
            fail(ATTUNE_ERROR_CONTEXT_LOST, "{}", "gone");
          });
        }) == Caught{ATTUNE_ERROR_CONTEXT_LOST, "gone"});
}

TEST_CASE("a capacity of nothing is not tuned for") {
  PlannerBench bench;
  for (int64_t Problem::*length : {&Problem::batch, &Problem::seqlen_q, &Problem::seqlen_kv}) {
    Problem problem = kSmallAttention;
    problem.*length = 0;
    CHECK(bench.plan(problem, TuningPolicy::force)->match() == Match::by_default);
  }
  CHECK(bench.tunings == 0);
}

TEST_CASE("what cannot be planned says why, with the numbers") {
  PlannerBench turing("sm_75");
  CHECK_THAT(
      caught([&] { turing.plan(kSmallAttention, TuningPolicy::off); }).message,
      ContainsSubstring("on Tesla T4: flash_fwd bf16 needs compute capability 8.0, the device has 7.5"));
  PlannerBench bench;
  bench.margin = {.fraction = 0.9, .bytes = 20000};
  const Caught infeasible = caught([&] { bench.plan(kSmallAttention, TuningPolicy::miss); });
  CHECK(infeasible.status == ATTUNE_ERROR_NO_FEASIBLE_CONFIG);
  CHECK_THAT(infeasible.message,
             ContainsSubstring("none of 81 configs") &&
                 ContainsSubstring("smem 8192 > 3244 (device 232448, margin 90 % + 20000 B)"));
  bench.margin = {};
  bench.backend.script.otherwise.fault = Fault::does_not_compile;
  const Caught broken = caught([&] { bench.plan(kSmallAttention, TuningPolicy::off); });
  CHECK(broken.status == ATTUNE_ERROR_COMPILE_FAILED);
  CHECK(broken.message ==
        bench.models_choice(kSmallAttention) + " did not compile: flash_fwd.cuh(7): error: as scripted");
  bench.backend.fake_compiler.is_missing = true;
  CHECK(caught([&] { bench.plan(kSmallAttention, TuningPolicy::off); }) ==
        Caught{ATTUNE_ERROR_NO_COMPILER, "the fake compiler is missing"});
}

TEST_CASE("plans of one config share one module, which lives as long as they do") {
  PlannerBench bench;
  auto first = bench.plan(kSmallAttention, TuningPolicy::off);
  auto second = bench.plan(kSmallAttention, TuningPolicy::off);
  CHECK(bench.backend.loads == 1);
  bench.forget_modules();
  CHECK(bench.backend.live_modules == 1);
  first.reset();
  CHECK(bench.backend.live_modules == 1);
  second.reset();
  CHECK(bench.backend.live_modules == 0);
}

// Graded lookup: databases in their order, exact before near before the cost model, and what is tuned first.
#include "dispatch/lookup.h"

#include "base/error.h"
#include "dispatch/planner_bench.h"
#include "support/catch.h"

using namespace attune;

namespace {

const Config kOther = flash_config(64, 64, 4, 1, 0);
const Config kThird = flash_config(64, 32, 4, 1, 0);

Problem with_lengths(int64_t seqlen_q, int64_t seqlen_kv, int64_t batch = 1) {
  Problem problem = kSmallAttention;
  problem.batch = batch, problem.seqlen_q = seqlen_q, problem.seqlen_kv = seqlen_kv;
  return problem;
}

Record stale(Record record) {
  record.driver = "driver 0.9";
  return record;
}

struct Tried {
  std::vector<std::string> seeds;
  TuneHook hook() {
    return [this](const Problem&, const std::vector<Candidate>& given) {
      for (const Candidate& seed : given)
        seeds.push_back(to_string(seed.config));
    };
  }
};

}  // namespace

TEST_CASE("the first database that has a fresh record decides, however fast the others' are") {
  PlannerBench bench;
  TuningDb& site = bench.add_database();
  TuningDb& shipped = bench.add_database();
  site.add(bench.record(kSmallAttention, kChosen, 1e-3));
  shipped.add(bench.record(kSmallAttention, kOther, 1e-6));
  CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->config() == kChosen);
  const auto by_site = bench.plan(kSmallAttention, TuningPolicy::miss);
  CHECK(by_site->config() == kChosen);
  CHECK(by_site->match() == Match::exact);
  CHECK(by_site->is_fresh());
  CHECK(bench.tunings == 0);  // a fresh record of the site will do
  bench.database->add(bench.record(kSmallAttention, kThird, 1));
  CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->config() == kThird);
}

TEST_CASE("a database that knows the problem's own shape goes before those that know others of its bucket") {
  PlannerBench bench;
  TuningDb& shipped = bench.add_database();
  const Problem other = with_lengths(64, 60);
  REQUIRE(bench.bucket(other) == bench.bucket(kSmallAttention));
  bench.database->add(bench.record(other, kOther, 1e-9));
  shipped.add(bench.record(kSmallAttention, kChosen, 1e-3));
  CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->config() == kChosen);
  CHECK(bench.plan(other, TuningPolicy::off)->config() == kOther);
  // Not when it is stale, and another is not.
  TuningDb& site = bench.add_database();
  site.add(stale(bench.record(with_lengths(60, 64), kThird)));
  CHECK(bench.plan(with_lengths(60, 64), TuningPolicy::off)->config() == kOther);
  // Nor for what it knows of others, where another knows the shape.
  bench.database->add(stale(bench.record(with_lengths(60, 64), kThird)));
  shipped.add(bench.record(with_lengths(60, 64), kChosen));
  CHECK(bench.plan(with_lengths(60, 64), TuningPolicy::off)->config() == kChosen);
}

TEST_CASE("a fresh record of a later database goes before a stale one, and a stale one before a near one") {
  PlannerBench bench;
  TuningDb& site = bench.add_database();
  bench.database->add(bench.record(with_lengths(64, 128), kThird));
  SECTION("fresh") {
    bench.database->add(stale(bench.record(kSmallAttention, kOther)));
    site.add(bench.record(kSmallAttention, kChosen));
    CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->config() == kChosen);
  }
  SECTION("stale: the first database's") {
    bench.database->add(stale(bench.record(kSmallAttention, kOther)));
    site.add(stale(bench.record(kSmallAttention, kChosen)));
    const auto plan = bench.plan(kSmallAttention, TuningPolicy::off);
    CHECK(plan->config() == kOther);
    CHECK(plan->match() == Match::exact);
    CHECK_FALSE(plan->is_fresh());
  }
  SECTION("near") {
    const auto plan = bench.plan(kSmallAttention, TuningPolicy::off);
    CHECK(plan->config() == kThird);
    CHECK(plan->match() == Match::near);
    CHECK_FALSE(plan->is_fresh());
  }
}

TEST_CASE("what was measured at the very shape goes before other shapes of the bucket") {
  PlannerBench bench;
  const Problem other = with_lengths(kSmallAttention.seqlen_q - 1, kSmallAttention.seqlen_kv);
  REQUIRE(bench.bucket(other) == bench.bucket(kSmallAttention));
  bench.database->add(bench.record(kSmallAttention, kChosen, 2e-3));
  bench.database->add(bench.record(kSmallAttention, kOther, 3e-3));
  bench.database->add(bench.record(other, kChosen, 3e-3));
  bench.database->add(bench.record(other, kOther, 1e-3));
  CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->config() == kChosen);
  CHECK(bench.plan(other, TuningPolicy::off)->config() == kOther);
  const Problem third = with_lengths(kSmallAttention.seqlen_q - 2, kSmallAttention.seqlen_kv);
  CHECK(bench.plan(third, TuningPolicy::off)->config() == kOther);
  SECTION("unless that is stale and they are not") {
    bench.database->add(stale(bench.record(kSmallAttention, kChosen, 2e-3)));
    bench.database->add(stale(bench.record(kSmallAttention, kOther, 3e-3)));
    bench.database->add(bench.record(other, kThird, 5e-3));
    CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->config() == kThird);
  }
  SECTION("also when it is the templates that have changed") {
    for (const auto& [config, seconds] : {std::pair(kChosen, 2e-3), std::pair(kOther, 4e-3)}) {
      Record changed = bench.record(kSmallAttention, config, seconds);
      changed.image_hash = "of another template";
      bench.database->add(changed);
    }
    CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->config() == kChosen);  // none that is fresh
    bench.database->add(bench.record(other, kThird, 5e-3));
    const auto plan = bench.plan(kSmallAttention, TuningPolicy::off);
    CHECK(plan->config() == kThird);
    CHECK(plan->is_fresh());
  }
}

TEST_CASE("a hostile record of the first database leaves the word to the next") {
  PlannerBench bench;
  TuningDb& site = bench.add_database();
  Record hostile = bench.record(kSmallAttention, kOther, 1e-6);
  hostile.config = "BLOCK_M=65; rm";
  bench.database->add(hostile);
  site.add(bench.record(kSmallAttention, kChosen));
  CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->config() == kChosen);
}

TEST_CASE("a failure that any database knows of rules the image out") {
  PlannerBench bench;
  TuningDb& site = bench.add_database();
  Record wrong = bench.record(kSmallAttention, kChosen);
  wrong.outcome = Outcome::wrong_result;
  wrong.median_seconds = wrong.ci_low_seconds = wrong.ci_high_seconds = 0;
  bench.database->add(wrong);
  site.add(bench.record(kSmallAttention, kChosen, 1e-6));
  site.add(bench.record(kSmallAttention, kOther, 1e-3));
  CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->config() == kOther);
}

TEST_CASE("the nearest bucket's winner is taken, of whichever database") {
  PlannerBench bench;
  TuningDb& site = bench.add_database();
  bench.database->add(bench.record(with_lengths(64, 1024), kThird, 1e-9));
  site.add(bench.record(with_lengths(64, 128), kChosen, 2e-3));
  site.add(bench.record(with_lengths(64, 128), kOther, 3e-3));
  const auto plan = bench.plan(kSmallAttention, TuningPolicy::off);
  CHECK(plan->match() == Match::near);
  CHECK(plan->config() == kChosen);
  // At the same distance the first database goes first.
  bench.database->add(bench.record(with_lengths(64, 128), kThird, 2e-3));
  CHECK(bench.plan(kSmallAttention, TuningPolicy::off)->config() == kThird);
}

TEST_CASE("near is of the same device and static fields only") {
  PlannerBench bench;
  Problem other = with_lengths(64, 128);
  Record record = bench.record(other, kChosen);
  SECTION("another device") {
    record.device_key += " MIG 1g";
  }
  SECTION("another head dimension") {
    other.head_dim = other.head_dim_v = 64;
    record = bench.record(other, kChosen);
  }
  SECTION("another mask") {
    other.mask = Mask::none;
    record = bench.record(other, kChosen);
  }
  SECTION("a hostile config") {
    record.config = "BLOCK_M=65";
  }
  SECTION("never timed") {
    record.median_seconds = record.ci_low_seconds = record.ci_high_seconds = 0;
  }
  bench.database->add(record);
  const auto plan = bench.plan(kSmallAttention, TuningPolicy::off);
  CHECK(plan->match() == Match::by_default);
  CHECK(plan->config_text() == bench.models_choice(kSmallAttention));
}

TEST_CASE("a near config that does not work here is passed over for the next one") {
  PlannerBench bench;
  bench.database->add(bench.record(with_lengths(64, 128), kChosen));
  bench.database->add(bench.record(with_lengths(64, 512), kOther));
  SECTION("it does not compile any more") {
    bench.backend.script[kChosen].fault = Fault::does_not_compile;
  }
  SECTION("it cannot be loaded") {
    bench.backend.script[kChosen].fault = Fault::does_not_load;
  }
  SECTION("it was tried in this very bucket") {
    Record wrong = bench.record(kSmallAttention, kChosen);
    wrong.outcome = Outcome::wrong_result;
    wrong.median_seconds = wrong.ci_low_seconds = wrong.ci_high_seconds = 0;
    bench.database->add(wrong);
  }
  const auto plan = bench.plan(kSmallAttention, TuningPolicy::off);
  CHECK(plan->match() == Match::near);
  CHECK(plan->config() == kOther);
}

TEST_CASE("an exact record whose kernel cannot be loaded is no reason to have no plan") {
  PlannerBench bench;
  bench.database->add(bench.record(kSmallAttention, kChosen));
  bench.backend.script[kChosen].fault = Fault::does_not_load;
  const auto plan = bench.plan(kSmallAttention, TuningPolicy::off);
  CHECK(plan->match() == Match::by_default);
  CHECK_FALSE(plan->config() == kChosen);
  CHECK(bench.capture.count(ATTUNE_LOG_WARNING, "cannot be loaded, as scripted") == 1);
}

TEST_CASE("a near record does not stop tuning, and is used when tuning fails") {
  PlannerBench bench;
  bench.database->add(bench.record(with_lengths(64, 128), kChosen));
  bench.backend.script[kOther].seconds = 1e-4;
  const auto untuned =
      bench.plan(kSmallAttention, TuningPolicy::miss, [](const Problem&, const std::vector<Candidate>&) {
        fail(ATTUNE_ERROR_OUT_OF_MEMORY, "{}", "no scratch");
      });
  CHECK(untuned->match() == Match::near);
  CHECK(untuned->config() == kChosen);
  const auto tuned = bench.plan(kSmallAttention, TuningPolicy::miss);
  CHECK(bench.tunings == 1);
  CHECK(tuned->match() == Match::exact);
  CHECK(tuned->config() == kOther);
}

TEST_CASE("seeds are what was measured before, best first: stale in this bucket, then nearby") {
  PlannerBench bench;
  TuningDb& site = bench.add_database();
  bench.database->add(stale(bench.record(kSmallAttention, kOther, 2e-3)));
  bench.database->add(stale(bench.record(kSmallAttention, kChosen, 1e-3)));
  site.add(bench.record(with_lengths(64, 512), flash_config(128, 64, 8, 1, 0)));
  site.add(bench.record(with_lengths(64, 128), kThird));
  site.add(bench.record(with_lengths(64, 256), kChosen));  // known already
  Tried tried;
  bench.plan(kSmallAttention, TuningPolicy::miss, tried.hook());
  CHECK(tried.seeds == std::vector<std::string>{to_string(kChosen), to_string(kOther), to_string(kThird),
                                                to_string(flash_config(128, 64, 8, 1, 0))});
}

TEST_CASE("seeds of the problem's own shape come first, whichever database knows them") {
  PlannerBench bench;
  TuningDb& shipped = bench.add_database();
  bench.database->add(stale(bench.record(with_lengths(64, 60), kOther, 1e-9)));
  shipped.add(stale(bench.record(kSmallAttention, kChosen, 1e-3)));
  Tried tried;
  bench.plan(kSmallAttention, TuningPolicy::miss, tried.hook());
  CHECK(tried.seeds == std::vector<std::string>{to_string(kChosen), to_string(kOther)});
}

TEST_CASE("hostile records are no seeds") {
  PlannerBench bench;
  Record hostile = stale(bench.record(kSmallAttention, kChosen));
  hostile.config = "BLOCK_M=65";
  bench.database->add(hostile);
  Tried tried;
  bench.plan(kSmallAttention, TuningPolicy::miss, tried.hook());
  CHECK(tried.seeds.empty());
}

TEST_CASE("tuning that has time for a single candidate tries the best seed") {
  PlannerBench bench;
  bench.database->add(stale(bench.record(kSmallAttention, kChosen)));
  const auto plan = bench.plan(kSmallAttention, TuningPolicy::miss,
                               [&](const Problem& asked, const std::vector<Candidate>& seeds) {
                                 bench.tune(asked, {.max_candidates = 1, .seeds = seeds});
                               });
  CHECK(plan->config() == kChosen);
  CHECK(plan->is_fresh());
  CHECK(bench.backend.timed(kChosen) > 0);
  CHECK(bench.backend.timed() == bench.backend.timed(kChosen));
}

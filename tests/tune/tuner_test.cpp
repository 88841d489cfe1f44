// The tuning loop on the fake device: who wins, and what is recorded of whom.
#include "tune/tuner.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "support/catch.h"
#include "support/caught.h"
#include "support/tuning_bench.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

namespace {

std::map<std::string, Record> records_by_config(TuningBench& bench) {
  std::map<std::string, Record> records;
  for (const Record& record : bench.database->records())
    records[record.config] = record;
  return records;
}

}  // namespace

TEST_CASE("the fastest candidate that is right wins") {
  TuningBench bench;
  bench.backend.script[rows_config(4, 2)].seconds = 0.5e-3;
  bench.backend.script[rows_config(8, 1)].seconds = 0.7e-3;
  const TuneReport report = bench.tune(kSmallRows);
  CHECK(winner_of(report) == "WARPS=4 ROWS_PER_BLOCK=2");
  CHECK(report.complete);
  CHECK(report.trials.size() == 12);
  CHECK(report.note == "");
  for (const Trial& trial : report.trials) {
    INFO(to_string(trial.candidate.config));
    CHECK(trial.outcome == Outcome::ok);
    CHECK(trial.timed());
    CHECK(trial.max_error < 1);
    const double scripted = bench.backend.script[trial.candidate.config].seconds;
    CHECK(trial.measurement.median == Approx(scripted).epsilon(1e-3));
  }
  CHECK(bench.capture.count(ATTUNE_LOG_WARNING) == 0);
}

TEST_CASE("a wrong candidate never wins, however fast it is") {
  const Config config = flash_config(64, 64, 4, 1, 0);
  struct Expectation {
    Fault fault;
    Outcome outcome;
    const char* reason;
  };
  const Expectation expected = GENERATE(values<Expectation>({
      {Fault::does_not_compile, Outcome::compile_failed, "flash_fwd.cuh(7): error: as scripted"},
      {Fault::does_not_load, Outcome::launch_failed, "cannot be loaded, as scripted"},
      {Fault::does_not_launch, Outcome::launch_failed, "cannot be launched, as scripted"},
      {Fault::faults_while_running, Outcome::launch_failed, "an illegal address, as scripted"},
      {Fault::scale_off_by_1_percent, Outcome::wrong_result, "error"},
      {Fault::loses_a_key, Outcome::wrong_result, "error"},
      {Fault::swaps_two_rows, Outcome::wrong_result, "error"},
      {Fault::writes_one_nan, Outcome::wrong_result, "nan"},
      {Fault::writes_nothing, Outcome::wrong_result, "nan"},
      {Fault::writes_beside_o, Outcome::wrong_result, "o: bytes outside the tensor were written"},
      {Fault::writes_beside_lse, Outcome::wrong_result, "lse: bytes outside the tensor were written"},
      {Fault::lse_off, Outcome::wrong_result, "lse batch 1 head 1 row 225"},
  }));
  INFO("fault " << static_cast<int>(expected.fault));
  TuningBench bench;
  bench.backend.script[config] = {.fault = expected.fault, .seconds = 1e-6};
  bench.backend.script[flash_config(64, 32, 4, 1, 0)].seconds = 0.5e-3;
  // The others only cost time here.
  for (const int n : {32, 64, 128}) {
    for (const int stages : {1, 2}) {
      for (const int warps : {4, 8}) {
        for (const int q : {0, 1}) {
          bench.backend.script[flash_config(128, n, warps, stages, q)].fault = Fault::does_not_compile;
        }
      }
    }
  }
  const TuneReport report = bench.tune(kSmallAttention);
  CHECK(winner_of(report) == to_string(flash_config(64, 32, 4, 1, 0)));
  const Trial& trial = trial_of(report, config);
  CHECK(trial.outcome == expected.outcome);
  CHECK_THAT(trial.reason, ContainsSubstring(expected.reason));
  CHECK_FALSE(trial.timed());
  CHECK(bench.backend.timed(config) == 0);
  if (expected.outcome == Outcome::wrong_result) CHECK(trial.max_error > 1);
  const Record record = records_by_config(bench).at(to_string(config));
  CHECK(record.outcome == expected.outcome);
  CHECK(record.reason == trial.reason);
  CHECK(record.median_seconds == 0);
}

TEST_CASE("when every candidate is wrong there is no winner") {
  TuningBench bench;
  bench.backend.script.otherwise = {.fault = Fault::loses_a_key, .seconds = 1e-6};
  const TuneReport report = bench.tune(kSmallRows);
  CHECK(winner_of(report) == "none");
  CHECK(bench.backend.timed() == 0);
  CHECK(bench.database->records().size() == 12);
  CHECK(bench.database->ranked(bench.device_key(), bench.bucket(kSmallRows), {"fake 1.0", "driver 1.0"})
            .empty());
}

TEST_CASE("every outcome is recorded with what was learnt") {
  TuningBench bench("sm_86");
  bench.backend.script.otherwise.registers = 99;
  const Problem problem{.dtype = DType::f16,
                        .batch = 2,
                        .heads_q = 4,
                        .heads_kv = 2,
                        .seqlen_q = 65,
                        .seqlen_kv = 130,
                        .head_dim = 128,
                        .head_dim_v = 128};
  const Config broken = flash_config(64, 32, 4, 1, 0), wrong = flash_config(64, 32, 4, 1, 1);
  bench.backend.script[broken].fault = Fault::does_not_compile;
  bench.backend.script[wrong].fault = Fault::scale_off_by_1_percent;
  const Margin margin{.fraction = 0.02, .bytes = 512};
  const TuneReport report = bench.tune(problem, {.margin = margin});
  const std::map<std::string, Record> records = records_by_config(bench);
  REQUIRE(records.size() == report.trials.size());
  REQUIRE(records.size() == 60);
  std::map<Outcome, int> outcomes;
  for (const Trial& trial : report.trials) {
    const Record& record = records.at(to_string(trial.candidate.config));
    INFO(record.config);
    ++outcomes[record.outcome];
    CHECK(record.outcome == trial.outcome);
    CHECK(record.device_key == "fake sm_86 GeForce RTX 3090 x82");
    CHECK(record.static_key == "forward f16 d128 dv128 group2 none");
    CHECK(record.bucket == "forward f16 d128 dv128 group2 none | Nq<=128 Nk<=192 waves<0.5");
    CHECK(record.family == "flash_fwd");
    CHECK(record.shape == "forward f16 B=2 Hq=4 Hkv=2 Nq=65 Nk=130 D=128");
    CHECK(record.batch == 2);
    CHECK(record.heads_q == 4);
    CHECK(record.heads_kv == 2);
    CHECK(record.seqlen_q == 65);
    CHECK(record.seqlen_kv == 130);
    CHECK(record.margin_fraction == 0.02);
    CHECK(record.margin_bytes == 512);
    CHECK(record.shared_bytes == trial.candidate.use.shared_bytes);
    CHECK(record.predicted_registers == trial.candidate.use.registers_per_thread);
    CHECK(record.library_version == "0.1.0");
    CHECK(record.driver == "driver 1.0");
    CHECK(record.image_hash == trial.image_hash);
    const bool is_compiled = record.outcome == Outcome::ok || record.outcome == Outcome::wrong_result;
    CHECK(record.image_hash.size() == (is_compiled ? 32 : 0));
    CHECK(record.compiler == (record.outcome == Outcome::over_budget ? "none" : "fake 1.0"));
    CHECK(record.registers == (is_compiled ? 99 : 0));
    CHECK(record.compile_seconds == (is_compiled ? 0.125 : 0));
    if (record.outcome == Outcome::over_budget) {
      CHECK(record.reason == trial.candidate.verdict.reason);
      CHECK_THAT(record.reason, ContainsSubstring(" > ") && ContainsSubstring("margin 2 %"));
    }
    if (record.outcome != Outcome::ok) continue;
    CHECK(record.reason == "");
    CHECK(record.samples == trial.measurement.samples);
    CHECK(record.median_seconds == trial.measurement.median);
    CHECK(record.ci_low_seconds <= record.median_seconds);
    CHECK(record.median_seconds <= record.ci_high_seconds);
  }
  CHECK(outcomes[Outcome::compile_failed] == 1);
  CHECK(outcomes[Outcome::wrong_result] == 1);
  CHECK(outcomes[Outcome::over_budget] > 5);
  CHECK(outcomes[Outcome::ok] == 60 - 2 - outcomes[Outcome::over_budget]);
}

TEST_CASE("what is clearly slower is timed less than the finalists") {
  TuningBench bench;
  bench.backend.script.otherwise.seconds = 5e-3;
  bench.backend.script[rows_config(1, 1)].seconds = 1e-3;
  bench.backend.script[rows_config(2, 1)].seconds = 1.00001e-3;
  bench.tune(kSmallRows);
  const int finalist = bench.backend.timed(rows_config(1, 1)), loser = bench.backend.timed(rows_config(8, 4));
  CHECK(finalist == bench.backend.timed(rows_config(2, 1)));
  CHECK(loser >= 3);
  CHECK(loser < finalist);
}

TEST_CASE("a candidate that lost its race cannot win because the clock slowed down after it") {
  TuningBench bench;
  bench.backend.script.otherwise.seconds = 9e-3;
  bench.backend.script[rows_config(4, 2)] = {.seconds = 1e-3, .noise = 0.1};  // so that it is timed for long
  bench.backend.script[rows_config(1, 2)] = {.seconds = 1.3e-3, .noise = 0.01};
  bench.backend.throttled_after = 12 * 6 + 3 * 8;  // all the losers have left by then
  CHECK(winner_of(bench.tune(kSmallRows)) == "WARPS=4 ROWS_PER_BLOCK=2");
}

TEST_CASE("of candidates that no measurement tells apart, the one with less shared memory wins") {
  TuningBench bench;
  bench.backend.script.otherwise.seconds = 2e-3;
  bench.backend.script[rows_config(8, 4)].seconds =
      0.99999e-3;                                          // 256 bytes of shared memory, within the noise
  bench.backend.script[rows_config(2, 2)].seconds = 1e-3;  // 32 bytes
  bench.backend.script[rows_config(4, 4)].seconds = 1.00001e-3;  // 128 bytes
  CHECK(winner_of(bench.tune(kSmallRows)) == "WARPS=2 ROWS_PER_BLOCK=2");
}

TEST_CASE("compile_only reports what compiles, and times and loads nothing") {
  TuningBench bench;
  bench.backend.script[flash_config(64, 64, 4, 1, 0)].fault = Fault::does_not_compile;
  Problem problem = kSmallAttention;
  problem.head_dim = problem.head_dim_v = 128;
  const TuneReport report = compile_only(problem, *known_device("sm_86"), bench.backend.compiler(),
                                         *bench.images, bench.templates, {});
  CHECK(report.complete);
  CHECK_FALSE(report.winner.has_value());
  std::map<Outcome, int> outcomes;
  for (const Trial& trial : report.trials) {
    ++outcomes[trial.outcome];
    CHECK(trial.registers == (trial.outcome == Outcome::ok ? 64 : 0));
  }
  CHECK(outcomes.size() == 3);
  CHECK(outcomes[Outcome::compile_failed] == 1);
  CHECK(bench.backend.fake_compiler.compilations == outcomes[Outcome::ok] + 1);
  CHECK(bench.backend.loads == 0);
  CHECK(bench.backend.timed() == 0);
  CHECK(bench.database->records().empty());
}

TEST_CASE("tuning gives back all memory and all modules, however it ends") {
  TuningBench bench;
  bench.tune(kSmallRows);
  CHECK(bench.backend.live_allocations == 0);
  CHECK(bench.backend.live_modules == 0);
  bench.backend.script[rows_config(4, 1)].fault = Fault::loses_the_context;
  CHECK(caught([&] { bench.tune(kSmallRows, {.force = true}); }) ==
        Caught{ATTUNE_ERROR_CONTEXT_LOST, "the context is gone, as scripted"});
  CHECK(bench.backend.live_allocations == 0);
  CHECK(bench.backend.live_modules == 0);
}

TEST_CASE("a fault that stays ends the run and is held against its own candidate only") {
  TuningBench bench;
  bench.backend.script[rows_config(4, 1)].fault = Fault::breaks_the_device;
  const Caught error = caught([&] { bench.tune(kSmallRows); });
  CHECK(error.status == ATTUNE_ERROR_CONTEXT_LOST);
  CHECK(error.message ==
        "row_softmax WARPS=4 ROWS_PER_BLOCK=1 has made the device unusable: a fault that stays, as scripted");
  const std::vector<Record> records = bench.database->records();
  REQUIRE(records.size() == 1);
  CHECK(records[0].config == "WARPS=4 ROWS_PER_BLOCK=1");
  CHECK(records[0].outcome == Outcome::launch_failed);
  CHECK(records[0].reason == "a fault that stays, as scripted");
}

TEST_CASE("progress counts every stage up to its total") {
  TuningBench bench;
  bench.backend.script[rows_config(4, 1)].fault = Fault::writes_one_nan;
  std::map<std::string, size_t> last;
  std::set<std::string> told;
  bench.tune(kSmallRows, {.progress = [&](const TuneProgress& progress) {
               CHECK(progress.done == last[progress.stage] + 1);
               CHECK(progress.done <= progress.total);
               CHECK(progress.eta_seconds >= 0);
               if (progress.done == progress.total) CHECK(progress.eta_seconds == 0);
               last[progress.stage] = progress.done;
               told.insert(progress.candidate);
             }});
  CHECK(last.at("compile") == 12);
  CHECK(last.at("time") == 1);
  CHECK(told.contains("WARPS=4 ROWS_PER_BLOCK=1: wrong_result"));
  CHECK(told.contains("WARPS=1 ROWS_PER_BLOCK=1: ok"));
}

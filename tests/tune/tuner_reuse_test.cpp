// What tuning knows already is not measured again.
#include <algorithm>

#include "support/catch.h"
#include "support/tuning_bench.h"

using namespace attune;

namespace {

size_t reused(const TuneReport& report) {
  return static_cast<size_t>(std::ranges::count_if(report.trials, &Trial::reused));
}

}  // namespace

TEST_CASE("tuning again times nothing and finds the same winner") {
  TuningBench bench;
  bench.backend.script[rows_config(4, 2)].seconds = 0.5e-3;
  const TuneReport first = bench.tune(kSmallRows);
  CHECK(reused(first) == 0);
  const int timed = bench.backend.timed(), launches = bench.backend.launches,
            compiled = bench.backend.fake_compiler.compilations;
  const size_t records = bench.database->records().size();

  const TuneReport second = bench.tune(kSmallRows);
  CHECK(winner_of(second) == "WARPS=4 ROWS_PER_BLOCK=2");
  CHECK(reused(second) == 12);
  CHECK(bench.backend.timed() == timed);
  CHECK(bench.backend.launches == launches);  // nor validated
  CHECK(bench.backend.fake_compiler.compilations == compiled);
  CHECK(bench.database->records().size() == records);
  for (const Trial& trial : second.trials) {
    const Trial& before = trial_of(first, trial.candidate.config);
    CHECK(trial.measurement.median == before.measurement.median);
    CHECK(trial.measurement.samples == before.measurement.samples);
    CHECK(trial.registers == before.registers);
    CHECK(trial.max_error == before.max_error);
  }
}

TEST_CASE("force times everything again, and the new times decide") {
  TuningBench bench;
  bench.backend.script[rows_config(4, 2)].seconds = 0.5e-3;
  bench.tune(kSmallRows);
  const int timed = bench.backend.timed();
  bench.backend.script[rows_config(4, 2)].seconds = 3e-3;
  bench.backend.script[rows_config(1, 4)].seconds = 0.5e-3;
  const TuneReport again = bench.tune(kSmallRows, {.force = true});
  CHECK(reused(again) == 0);
  CHECK(winner_of(again) == "WARPS=1 ROWS_PER_BLOCK=4");
  for (const Trial& trial : again.trials)
    CHECK(bench.backend.timed(trial.candidate.config) >= 12);
  CHECK(bench.backend.timed() > timed);
  CHECK(bench.database->records().size() == 24);  // nothing is forgotten
  CHECK(winner_of(bench.tune(kSmallRows)) == "WARPS=1 ROWS_PER_BLOCK=4");
}

TEST_CASE("a config without a record is the only one that is timed") {
  TuningBench bench;
  bench.backend.script[rows_config(4, 2)].seconds = 0.5e-3;
  bench.tune(kSmallRows);
  const std::vector<Record> all = bench.database->records();
  bench.database = TuningDb::open(std::nullopt, bench.log);
  for (const Record& record : all) {
    if (record.config != "WARPS=4 ROWS_PER_BLOCK=2") REQUIRE(bench.database->add(record));
  }
  const int timed = bench.backend.timed(), timed_there = bench.backend.timed(rows_config(4, 2));
  const TuneReport report = bench.tune(kSmallRows);
  CHECK(reused(report) == 11);
  CHECK_FALSE(trial_of(report, rows_config(4, 2)).reused);
  CHECK(bench.backend.timed(rows_config(4, 2)) > timed_there);
  CHECK(bench.backend.timed() - timed == bench.backend.timed(rows_config(4, 2)) - timed_there);
  CHECK(winner_of(report) == "WARPS=4 ROWS_PER_BLOCK=2");
  CHECK(bench.database->records().size() == 12);
}

TEST_CASE("another image is timed again, whatever the record of the old one says") {
  TuningBench bench;
  bench.backend.script[rows_config(4, 2)].seconds = 0.5e-3;
  bench.tune(kSmallRows);
  bench.forget_images();
  bench.backend.script[rows_config(4, 2)] = {.seconds = 4e-3, .image_version = 1};
  bench.backend.script[rows_config(2, 2)].seconds = 0.9e-3;
  const int timed = bench.backend.timed();
  const TuneReport report = bench.tune(kSmallRows);
  CHECK(reused(report) == 11);
  CHECK(bench.backend.timed() > timed);
  CHECK(trial_of(report, rows_config(4, 2)).measurement.median > 3e-3);
  CHECK(winner_of(report) != "WARPS=4 ROWS_PER_BLOCK=2");
}

TEST_CASE("records of another compiler or driver major are not reused, those of a minor are") {
  TuningBench bench;
  bench.tune(kSmallRows);
  bench.backend.driver = "driver 1.7";
  CHECK(reused(bench.tune(kSmallRows)) == 12);
  bench.backend.driver = "driver 2.0";
  CHECK(reused(bench.tune(kSmallRows)) == 0);
  CHECK(reused(bench.tune(kSmallRows)) == 12);
  bench.backend.fake_compiler.version = "fake 1.1";
  CHECK(reused(bench.tune(kSmallRows)) == 0);
}

TEST_CASE("records of another bucket, device or backend are not reused") {
  TuningBench bench;
  bench.tune(kSmallRows);
  CHECK(reused(bench.tune(kSmallRows)) == 12);
  Problem neighbour = kSmallRows;
  neighbour.seqlen_q = 65;
  CHECK(reused(bench.tune(neighbour)) == 0);
  bench.backend.spec.multiprocessors = 66;
  CHECK(reused(bench.tune(kSmallRows)) == 0);
  bench.backend.spec.name = "another H200";
  CHECK(reused(bench.tune(kSmallRows)) == 0);
}

TEST_CASE("what failed is tried again, so that a repaired candidate can win") {
  TuningBench bench;
  bench.backend.script[rows_config(4, 2)] = {.fault = Fault::writes_one_nan, .seconds = 0.5e-3};
  CHECK(winner_of(bench.tune(kSmallRows)) != "WARPS=4 ROWS_PER_BLOCK=2");
  bench.backend.script[rows_config(4, 2)].fault = Fault::none;
  const TuneReport report = bench.tune(kSmallRows);
  CHECK(reused(report) == 11);
  CHECK(winner_of(report) == "WARPS=4 ROWS_PER_BLOCK=2");
}

TEST_CASE("a candidate that turns wrong loses its place") {
  TuningBench bench;
  bench.backend.script[rows_config(4, 2)].seconds = 0.5e-3;
  bench.tune(kSmallRows);
  bench.backend.script[rows_config(4, 2)].fault = Fault::swaps_two_rows;
  const TuneReport report = bench.tune(kSmallRows, {.force = true});
  CHECK(trial_of(report, rows_config(4, 2)).outcome == Outcome::wrong_result);
  CHECK(winner_of(report) != "WARPS=4 ROWS_PER_BLOCK=2");
  CHECK(winner_of(report) != "none");
}

TEST_CASE("templates that are changed and changed back are timed once each time, not for ever") {
  TuningBench bench;
  bench.tune(kSmallRows);
  bench.forget_images();
  bench.backend.script.otherwise.image_version = 1;
  CHECK(reused(bench.tune(kSmallRows)) == 0);
  bench.forget_images();
  bench.backend.script.otherwise.image_version = 0;
  CHECK(reused(bench.tune(kSmallRows)) == 0);
  const TuneReport report = bench.tune(kSmallRows);
  CHECK(reused(report) == 12);
  CHECK(report.winner);
}

TEST_CASE("the time of another shape of the bucket is no answer") {
  TuningBench bench;
  Problem larger = kSmallRows;
  larger.seqlen_kv += 1;
  REQUIRE(bench.bucket(larger) == bench.bucket(kSmallRows));
  bench.tune(kSmallRows);
  CHECK(reused(bench.tune(larger)) == 0);
  SECTION("and does not take the first one's place") {
    const TuneReport report = bench.tune(kSmallRows);
    CHECK(reused(report) == 12);
    CHECK(report.winner);
  }
  SECTION("but what failed there is tried again") {
    bench.backend.script[rows_config(4, 2)].fault = Fault::swaps_two_rows;
    bench.tune(larger, {.force = true});
    CHECK(reused(bench.tune(kSmallRows)) == 11);
  }
}

TEST_CASE("seeds are tried first, in their order; those that are no candidates are left out") {
  TuningBench bench;
  const Candidate first{.family = find_family("row_softmax"), .config = rows_config(4, 2)};
  const Candidate second{.family = find_family("row_softmax"), .config = rows_config(1, 4)};
  const Candidate strange{.family = find_family("row_softmax"), .config = rows_config(3, 2)};
  const Candidate foreign{.family = find_family("flash_fwd"), .config = rows_config(1, 4)};
  const TuneReport report = bench.tune(kSmallRows, {.seeds = {foreign, first, strange, second, first}});
  REQUIRE(report.trials.size() == 12);
  CHECK(report.trials[0].candidate.config == first.config);
  CHECK(report.trials[1].candidate.config == second.config);
  const TuneReport bounded = bench.tune(kSmallRows, {.max_candidates = 1, .seeds = {second, first}});
  REQUIRE(bounded.trials.size() == 1);
  CHECK(bounded.trials[0].candidate.config == second.config);
}

// Short problems are timed by replay, their records say so, and what was timed otherwise is timed again.
#include <algorithm>
#include <string>
#include <vector>

#include "measure/timer.h"
#include "support/catch.h"
#include "support/tuning_bench.h"
#include "tune/timing_scratch.h"
#include "tune/trial_record.h"
#include "tune/worker_protocol.h"

using namespace attune;

namespace {

// As seen on an H200: what begins early reads longer between events, and takes less.
struct ShortBench : TuningBench {
  ShortBench() {
    backend.replays = true;
    backend.script.otherwise.seconds = 12e-6;
    backend.script.otherwise.replayed_seconds = 6e-6;
    backend.script[rows_config(4, 2)].seconds = 9e-6;
    backend.script[rows_config(4, 2)].replayed_seconds = 5.6e-6;
    backend.script[rows_config(1, 4)].seconds = 10e-6;
    backend.script[rows_config(1, 4)].replayed_seconds = 3.8e-6;
  }
};

}  // namespace

TEST_CASE("a short problem's winner is who is fastest in a replay, and its record says how it was timed") {
  ShortBench bench;
  const TuneReport report = bench.tune(kSmallRows);
  CHECK(winner_of(report) == "WARPS=1 ROWS_PER_BLOCK=4");
  CHECK(bench.backend.replayed > 0);
  for (const Record& record : bench.database->records()) {
    CHECK(record.reason == kTimedByReplay);
    CHECK(record.median_seconds < 7e-6);
  }
  const int timed = bench.backend.timed();
  CHECK(winner_of(bench.tune(kSmallRows)) == "WARPS=1 ROWS_PER_BLOCK=4");
  CHECK(bench.backend.timed() == timed);  // nothing is timed again
}

TEST_CASE("where launches cannot be replayed, or are long, they are timed one by one") {
  ShortBench bench;
  SECTION("the driver has no graphs") {
    bench.backend.replays = false;
    CHECK(winner_of(bench.tune(kSmallRows)) == "WARPS=4 ROWS_PER_BLOCK=2");
  }
  SECTION("the tensors do not stay in the L2") {
    bench.backend.spec.l2_bytes = 2 * TimingScratch::bytes(kSmallRows) - 1;
    CHECK(winner_of(bench.tune(kSmallRows)) == "WARPS=4 ROWS_PER_BLOCK=2");
  }
  SECTION("the fastest is beyond the limit") {
    bench.backend.script.otherwise.seconds = 90e-6;
    bench.backend.script[rows_config(4, 2)].seconds = 60e-6;
    bench.backend.script[rows_config(1, 4)].seconds = 70e-6;
    CHECK(winner_of(bench.tune(kSmallRows)) == "WARPS=4 ROWS_PER_BLOCK=2");
  }
  CHECK(bench.backend.replayed == 0);
  for (const Record& record : bench.database->records())
    CHECK(record.reason.empty());
}

TEST_CASE("short trials that were timed one by one are timed again where they can be replayed") {
  ShortBench bench;
  bench.backend.script[rows_config(2, 1)].seconds = 1e-3;  // hopeless
  bench.backend.replays = false;
  CHECK(winner_of(bench.tune(kSmallRows)) == "WARPS=4 ROWS_PER_BLOCK=2");
  bench.backend.replays = true;
  const TuneReport again = bench.tune(kSmallRows);
  CHECK(winner_of(again) == "WARPS=1 ROWS_PER_BLOCK=4");
  for (const Trial& trial : again.trials)
    CHECK(trial.reused == (trial.candidate.config == rows_config(2, 1)));
  const int timed = bench.backend.timed();
  bench.tune(kSmallRows);
  CHECK(bench.backend.timed() == timed);
}

TEST_CASE("a worker's measurements keep what they were timed by") {
  std::vector<Measurement> sent{measurement_of({3e-6, 4e-6}), measurement_of({5e-6})};
  sent[0].by_replay = true;
  sent[1].eliminated = true;
  const std::vector<Measurement> received = measurements_from_json(to_json(sent));
  REQUIRE(received.size() == 2);
  CHECK(received[0].by_replay);
  CHECK_FALSE(received[1].by_replay);
  CHECK(received[1].eliminated);
  CHECK(received[0].samples == sent[0].samples);
}

// The tuning loop on recorded trials: it ends as the recorded one did, and says what it does not know.
#include "tune/replay.h"

#include <algorithm>

#include "db/shipped_db.h"
#include "recorded/recorded_backend.h"
#include "support/catch.h"
#include "support/recorded_bench.h"
#include "tune/recorded_compiler.h"
#include "tune/recorded_trial_runner.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

namespace {

// A few that can win, one that ties with the best, losers of all kinds.
void script(FakeBackend& backend) {
  backend.script.otherwise = {.seconds = 1e-3, .noise = 5e-3};
  backend.script[rows_config(4, 2)] = {.seconds = 0.5e-3, .noise = 5e-3};
  backend.script[rows_config(8, 1)] = {.seconds = 0.501e-3, .noise = 5e-3};
  backend.script[rows_config(2, 1)] = {.seconds = 0.6e-3, .noise = 0.05};
  backend.script[rows_config(1, 1)] = {.fault = Fault::does_not_compile};
  backend.script[rows_config(1, 2)] = {.fault = Fault::does_not_launch};
  backend.script[rows_config(1, 4)] = {.fault = Fault::swaps_two_rows, .seconds = 1e-6};
}

// What ATTUNE_DEVICE=recorded works with, the fake device's trials behind it.
struct RecordedRun {
  explicit RecordedRun(RecordedBench& recording, Compiler* compiler = nullptr) : recording(recording) {
    backend = make_recorded_backend({.key = recording.problems.front().device_key,
                                     .spec = known_device("sm_90").value(),
                                     .version = "recording 1",
                                     .provenance = "recorded: here"},
                                    [this, compiler]() -> std::unique_ptr<Compiler> {
                                      if (compiler) return std::make_unique<Borrowed>(*compiler);
                                      return std::make_unique<RecordedCompiler>(templates,
                                                                                this->recording.problems);
                                    });
  }
  struct Borrowed final : Compiler {
    explicit Borrowed(Compiler& other) : other(other) {}
    std::string identity() const override { return other.identity(); }
    CompileResult compile(const KernelSource& source) override { return other.compile(source); }
    Compiler& other;
  };

  TuneReport tune(const Problem& problem, const TuneOptions& options = {}) {
    const auto make_runner = [this](const Problem& timed) {
      return make_recorded_trial_runner(*backend, *recording.database, backend->recorded_key(), timed);
    };
    return attune::tune(problem, {*backend, templates, images, *database, Log(), make_runner}, options);
  }

  RecordedBench& recording;
  const TemplateStore templates;
  std::unique_ptr<RecordedBackend> backend;
  ImageCache disk{std::nullopt, Log()};
  CompiledImages images{disk};
  std::unique_ptr<TuningDb> database = TuningDb::open(std::nullopt, Log());
};

}  // namespace

TEST_CASE("a replay ends as the recorded run did, trial by trial") {
  TuningBench bench;
  script(bench.backend);
  RecordedBench recording(bench, {kSmallRows});
  const TuneReport& original = recording.reports.front();
  REQUIRE(recording.problems.size() == 1);
  const int launched = bench.backend.launches;
  const int64_t compiled = bench.backend.fake_compiler.compilations;
  const TuneReport report = replay(recording.problems.front(), *recording.database, bench.log);
  CHECK(winner_of(report) == winner_of(original));
  CHECK(winner_of(report) != "none");
  CHECK(report.complete);
  REQUIRE(report.trials.size() == original.trials.size());
  for (const Trial& trial : report.trials) {
    const Trial& there = trial_of(original, trial.candidate.config);
    INFO(to_string(trial.candidate.config));
    CHECK(trial.outcome == there.outcome);
    CHECK(trial.timed() == there.timed());
    CHECK(trial.image_hash == there.image_hash);
    if (there.outcome != Outcome::ok) CHECK_THAT(trial.reason, ContainsSubstring(there.reason));
    if (!there.timed()) continue;
    CHECK(trial.measurement.eliminated == there.measurement.eliminated);
    CHECK(trial.measurement.samples.size() == std::min<size_t>(12, there.measurement.samples.size()));
    CHECK(trial.measurement.median == Approx(there.measurement.median).epsilon(0.01));
    CHECK(trial.registers == there.registers);
  }
  CHECK(bench.backend.launches == launched);
  CHECK(bench.backend.fake_compiler.compilations == compiled);
}

TEST_CASE("what a recorded device learns goes under its own name, and answers the next run") {
  TuningBench bench;
  script(bench.backend);
  RecordedBench recording(bench, {kSmallRows});
  RecordedRun run(recording);
  const TuneReport first = run.tune(kSmallRows);
  const TuneReport second = run.tune(kSmallRows);
  CHECK(winner_of(second) == winner_of(first));
  const std::vector<Record> records = run.database->records();
  REQUIRE_FALSE(records.empty());
  for (const Record& record : records) {
    CHECK(record.device_key == "recorded sm_90 H200 x132");
    CHECK(record.driver == "recording 1");
  }
  for (const Trial& trial : second.trials) {
    if (trial.outcome == Outcome::ok) CHECK(trial.reused);
  }
  CHECK(worth_recording(records).empty());
}

TEST_CASE("a candidate that was not recorded fails and says so") {
  TuningBench bench;
  script(bench.backend);
  RecordedBench recording(bench, {kSmallRows});
  std::erase_if(recording.records,
                [](const Record& record) { return record.config == to_string(rows_config(4, 2)); });
  recording.packed = pack_records(recording.records);
  recording.database = TuningDb::open_packed(
      {reinterpret_cast<const unsigned char*>(recording.packed.data()), recording.packed.size()}, Log());
  // With a compiler that knows every source, as NVRTC does.
  RecordedRun run(recording, &bench.backend.fake_compiler);
  const TuneReport report = run.tune(kSmallRows);
  CHECK(winner_of(report) == to_string(rows_config(8, 1)));
  const Trial& missing = trial_of(report, rows_config(4, 2));
  CHECK(missing.outcome == Outcome::launch_failed);
  CHECK(missing.reason == "recorded: no trial of this candidate is");
  // The recorded compiler knows no more than the records.
  recording.problems = recorded_problems(recording.records);
  const TuneReport replayed = replay(recording.problems.front(), *recording.database, Log());
  CHECK(winner_of(replayed) == to_string(rows_config(8, 1)));
  CHECK(trial_of(replayed, rows_config(4, 2)).outcome == Outcome::compile_failed);
  CHECK(trial_of(replayed, rows_config(4, 2)).reason == "recorded: no trial of this candidate is");
}

TEST_CASE("a problem of another length is not answered, and the recorded lengths are named") {
  TuningBench bench;
  RecordedBench recording(bench, {kSmallRows});
  RecordedRun run(recording, &bench.backend.fake_compiler);
  Problem longer = kSmallRows;
  longer.seqlen_kv += 1;
  const TuneReport report = run.tune(longer);
  CHECK(winner_of(report) == "none");
  for (const Trial& trial : report.trials) {
    CHECK(trial.outcome == Outcome::launch_failed);
    CHECK_THAT(trial.reason, ContainsSubstring("columns=101 is; of other lengths 1 are, such as"));
    CHECK_THAT(trial.reason, ContainsSubstring("columns=100"));
  }
  // Else no plan of it could be made.
  CHECK(run.database->records().empty());
}

TEST_CASE("another image than the recorded one is told") {
  TuningBench bench;
  RecordedBench recording(bench, {kSmallRows});
  bench.backend.script[rows_config(4, 2)] = {.image_version = 2};
  RecordedRun run(recording, &bench.backend.fake_compiler);
  const TuneReport report = run.tune(kSmallRows);
  for (const Trial& trial : report.trials) {
    INFO(to_string(trial.candidate.config));
    CHECK(trial.outcome == Outcome::ok);
    CHECK(trial.reason.starts_with("recorded of image ") == (trial.candidate.config == rows_config(4, 2)));
  }
}

TEST_CASE("the shipped recordings, replayed, choose what was chosen then") {
  const auto recordings = open_shipped_db(Log());
  const std::vector<RecordedProblem> problems = recorded_problems(recordings->records());
  if (problems.empty()) ATTUNE_SKIP("this build ships no recordings");
  for (const RecordedProblem& problem : problems) {
    INFO(problem.device_key << ", " << describe(problem.problem)
                            << ": when the config space has changed, record again (recordings/README.md)");
    const TuneReport report = replay(problem, *recordings, Log());
    REQUIRE(report.winner);
    const Trial& winner = report.trials[*report.winner];
    // Ties end at 2 %, and on a card at its power limit the samples of one kernel spread by several. The
    // recording keeps the first 12 of each, and a kernel that was timed while the card was cool looks
    // better by these than by all: what they say is as right.
    const auto recorded = std::ranges::find_if(
        problem.ranked, [&](const Choice& choice) { return is_of(choice.record, winner.candidate); });
    REQUIRE(recorded != problem.ranked.end());
    const double seconds = std::min(recorded->record.median_seconds, winner.measurement.median);
    CHECK(seconds <= 1.05 * problem.ranked.front().record.median_seconds);
  }
}

// Candidates that are broken in every way, tried in worker processes: each costs itself and nobody else.
#include <string>

#include "backend/device_buffer.h"
#include "cuda/driver.h"
#include "support/catch.h"
#include "tuner/isolation_bench.h"

using namespace attune;
using namespace attune::tuner_test;
using Catch::Matchers::ContainsSubstring;

namespace {

struct Expectation {
  const Plant* plant;
  Outcome on_simt, on_a_gpu;
  const char* reason;  // on simt
};

const Expectation kExpectations[] = {
    {&kNothing, Outcome::ok, Outcome::ok, ""},
    {&kIllegalAddress, Outcome::crashed, Outcome::crashed, "its process ended: it "},
    {&kEndless, Outcome::timed_out, Outcome::timed_out, "it took longer than 5 s and was stopped"},
    {&kWrongNumbers, Outcome::wrong_result, Outcome::wrong_result, "error"},
    {&kReadsPastInput, Outcome::launch_failed, Outcome::crashed, "out of bounds"},
};

// Whatever the bad candidate does, the others are tried and one of them, or it, wins; this process goes on.
void check_fault(const Plant& plant, const char* device, Outcome outcome, const std::string& reason) {
  IsolationBench bench(plant, device);
  if (&plant == &kEndless) bench.workers.trial_seconds = 5;  // what is right takes 10 ms
  const DeviceBuffer mine(*bench.context().backend, 4);
  const int written = 4711;
  bench.context().backend->copy(mine.data(), &written, sizeof written);

  const TuneReport report = bench.tune();
  const Trial& bad = trial_of(report, kBad);
  INFO(bad.reason);
  CHECK(bad.outcome == outcome);
  CHECK_THAT(bad.reason, ContainsSubstring(reason));
  CHECK(report.complete);
  CHECK(report.trials.size() == 4);
  for (const Trial& trial : report.trials) {
    if (&trial != &bad) CHECK(trial.timed());
  }
  CHECK(report.winner);
  CHECK(bench.record()->outcome == outcome);
  CHECK(bench.log().count(ATTUNE_LOG_WARNING) == 0);

  int read = 0;
  bench.context().backend->copy(&read, mine.data(), sizeof read);
  CHECK(read == written);
}

}  // namespace

TEST_CASE("a broken candidate costs itself and nobody else", "[simt]") {
  for (const Expectation& expected : kExpectations) {
    INFO(name_of(expected.on_simt) << " " << expected.reason);
    check_fault(*expected.plant, "simt", expected.on_simt, expected.reason);
  }
}

TEST_CASE("a broken candidate costs itself and nobody else on a GPU", "[gpu]") {
  if (std::string why; !cuda_available(&why)) ATTUNE_SKIP(why);
  for (const Expectation& expected : kExpectations) {
    INFO(name_of(expected.on_a_gpu));
    check_fault(*expected.plant, "cuda", expected.on_a_gpu, "");
  }
}

TEST_CASE("what crashed is not tried again, unless it is forced or its image is another", "[simt]") {
  IsolationBench bench(kIllegalAddress);
  REQUIRE(trial_of(bench.tune(), kBad).outcome == Outcome::crashed);
  const size_t records = bench.context().database->records().size();

  const TuneReport again = bench.tune();
  CHECK(trial_of(again, kBad).outcome == Outcome::crashed);
  CHECK(trial_of(again, kBad).reused);
  CHECK(bench.context().database->records().size() == records);
  CHECK(again.winner);

  const TuneReport forced = bench.tune({.force = true});
  CHECK(trial_of(forced, kBad).outcome == Outcome::crashed);
  CHECK_FALSE(trial_of(forced, kBad).reused);

  std::filesystem::remove_all(bench.templates());
  write_templates(bench.templates(), kNothing);
  const TuneReport repaired = bench.tune();
  CHECK(trial_of(repaired, kBad).outcome == Outcome::ok);
}

TEST_CASE("a compiler that crashes or hangs costs the candidate it was given", "[simt]") {
  struct Case {
    const char* fault;
    Outcome outcome;
    const char* reason;
  };
  const Case tested = GENERATE(values<Case>({{"kill -SEGV $$", Outcome::crashed, "was killed by signal 11"},
                                             {"sleep 60", Outcome::timed_out, "took longer than 5 s"}}));
  INFO(tested.fault);
  const ScratchDirectory scratch;
  const std::filesystem::path compiler =
      write_program(scratch.path() / "c++", fmt::format("#!/bin/sh\n"
                                                        "if grep -qs 'WARPS 4' attune_config.h && grep -qs "
                                                        "'ROWS_PER_BLOCK 2' attune_config.h; then {}; fi\n"
                                                        "echo called >> {}/calls\n"
                                                        "exec c++ \"$@\"\n",
                                                        tested.fault, scratch.path().string()));
  const std::string options = "threads=2,cxx=" + compiler.string();
  IsolationBench bench(kNothing, "simt", options);
  bench.workers.compile_seconds = 5;
  const TuneReport report = bench.tune();
  CHECK(trial_of(report, kBad).outcome == tested.outcome);
  CHECK_THAT(trial_of(report, kBad).reason, ContainsSubstring(tested.reason));
  CHECK(report.winner);
  CHECK(report.complete);
  CHECK_THAT(bench.record()->image_hash, Catch::Matchers::StartsWith("source "));

  // Nor does another process ask it again, to tune or to plan.
  ContextOptions others = bench.context().options;
  attune_context other(others);
  TuneResources resources = other.tune_resources();
  isolate(resources, bench.workers);
  const TuneReport again = attune::tune(kSmallRows, resources, {.max_candidates = 12});
  CHECK(trial_of(again, kBad).outcome == tested.outcome);
  CHECK(trial_of(again, kBad).reused);
}

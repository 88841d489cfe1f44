// Bounds on tuning, and problems that cannot be tuned at all.
#include <algorithm>
#include <chrono>

#include "support/catch.h"
#include "support/caught.h"
#include "support/tuning_bench.h"
#include "tune/scratch_workspace.h"
#include "tune/timing_scratch.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;
using std::chrono::milliseconds;

namespace {

double seconds_of(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

size_t timed(const TuneReport& report) {
  return static_cast<size_t>(std::ranges::count_if(report.trials, &Trial::timed));
}

}  // namespace

TEST_CASE("no candidate is begun after the deadline, and what was not tried is no trial") {
  TuningBench bench;
  bench.backend.script.otherwise.compile = milliseconds(300);
  TuneReport report;
  const double seconds = seconds_of([&] { report = bench.tune(kSmallAttention, {.seconds = 0.4}); });
  const auto compiled = static_cast<size_t>(bench.backend.fake_compiler.compilations);
  CHECK(compiled <= 16);  // one wave of the compiling threads; 60 candidates fit
  CHECK_FALSE(report.complete);
  const size_t tried = report.trials.size();  // what arrived too late is not validated any more
  CHECK(tried >= 1);
  CHECK(tried <= compiled);
  CHECK_THAT(report.note, Catch::Matchers::StartsWith(
                              fmt::format("{} of 81 candidates were not tried within 0.4 s", 81 - tried)));
  CHECK(seconds < 10);  // all of them would take twice as long even on 16 cores, and a minute on one
  CHECK(bench.database->records().size() <= tried);
}

TEST_CASE("the best candidates of the cost model are tried first when there is no time for all") {
  TuningBench bench;
  bench.backend.script.otherwise.compile = milliseconds(300);
  const TuneReport report = bench.tune(kSmallAttention, {.seconds = 0.3});
  const std::vector<Candidate> candidates = enumerate_candidates(kSmallAttention, bench.backend.spec, {});
  REQUIRE(report.trials.size() < candidates.size());
  const auto compiled = static_cast<size_t>(bench.backend.fake_compiler.compilations);
  for (const Trial& trial : report.trials) {
    const auto position = std::ranges::find(candidates, trial.candidate.config, &Candidate::config);
    CHECK(static_cast<size_t>(position - candidates.begin()) < compiled);
  }
}

TEST_CASE("timing ends at the deadline, and what was not timed is not recorded and cannot win") {
  TuningBench bench;
  bench.backend.script.otherwise.launch = milliseconds(60);
  TuneReport report;
  const double seconds = seconds_of([&] { report = bench.tune(kSmallRows, {.seconds = 1.0}); });
  // Each candidate needs 2 + 4 launches, 12 candidates 4.3 s.
  CHECK(timed(report) >= 1);
  CHECK(timed(report) < 12);
  CHECK(seconds < 4);
  CHECK(bench.database->records().size() == timed(report));
  REQUIRE(report.winner.has_value());
  CHECK(report.trials[*report.winner].timed());
  CHECK_FALSE(report.complete);
  CHECK(report.note == fmt::format("{} of 12 candidates were not timed within 1 s", 12 - timed(report)));
}

TEST_CASE("max_candidates takes the first of the cost model") {
  TuningBench bench;
  const TuneReport report = bench.tune(kSmallAttention, {.max_candidates = 3});
  const std::vector<Candidate> candidates = enumerate_candidates(kSmallAttention, bench.backend.spec, {});
  REQUIRE(report.trials.size() == 3);
  for (size_t i = 0; i < 3; ++i)
    CHECK(report.trials[i].candidate.config == candidates[i].config);
  CHECK(bench.backend.fake_compiler.compilations == 3);
}

TEST_CASE("candidates over budget are trials with a reason, and are never compiled") {
  TuningBench bench("sm_86");
  Problem problem = kSmallAttention;
  problem.head_dim = problem.head_dim_v = 256;
  const TuneReport report = bench.tune(problem);
  REQUIRE(report.trials.size() == 60);
  size_t over = 0;
  bool is_in_tail = false;
  for (const Trial& trial : report.trials) {
    const bool is_over = trial.outcome == Outcome::over_budget;
    CHECK((is_over || !is_in_tail));  // they come last
    is_in_tail |= is_over;
    if (!is_over) continue;
    ++over;
    CHECK_THAT(trial.reason, ContainsSubstring(" > "));
    CHECK(trial.reason == trial.candidate.verdict.reason);
    CHECK(trial.image_hash == "");
  }
  CHECK(over > 10);
  CHECK(static_cast<size_t>(bench.backend.fake_compiler.compilations) == 60 - over);
}

TEST_CASE("a margin that leaves nothing is refused with the numbers") {
  TuningBench bench;
  Problem problem = kSmallAttention;
  problem.head_dim = problem.head_dim_v = 128;
  // (64 + 2 * 1 * 32) rows of 2 * 128 bytes; 1 % of 232448 bytes.
  CHECK(caught([&] { bench.tune(problem, {.margin = {.fraction = 0.99}}); }) ==
        Caught{ATTUNE_ERROR_NO_FEASIBLE_CONFIG,
               "none of 61 configs for forward bf16 B=1 Hq=2 Hkv=1 Nq=64 Nk=64 D=128 causal fits H200; the "
               "first: flash_fwd "
               "BLOCK_M=64 BLOCK_N=32 WARPS=2 STAGES=1 Q_IN_REGISTERS=0 KEEP_PLACES=0 TENSOR_COPIES=1: smem "
               "32784 > 2324 "
               "(device 232448, "
               "margin 99 % + 0 B)"});
  CHECK(bench.backend.fake_compiler.compilations == 0);
}

TEST_CASE("what no family computes is unsupported, with each family's reason") {
  TuningBench bench("sm_75");
  CHECK(
      caught([&] { bench.tune(kSmallAttention); }) ==
      Caught{ATTUNE_ERROR_UNSUPPORTED,
             "no family computes forward bf16 B=1 Hq=2 Hkv=1 Nq=64 Nk=64 D=32 causal on Tesla T4: "
             "flash_fwd bf16 needs "
             "compute capability 8.0, the device has 7.5; flash_fwd_sm90 needs sm_90a, 16-bit elements and "
             "head dimensions that are multiples of 8: there are sm_75, bf16, 32 and 32; flash_decode is for "
             "at most 64 rows that share their keys, here 2 query heads x 64 queries; flash_bwd_delta "
             "computes backward_delta only; "
             "flash_bwd_dkv computes backward_dkv only; flash_bwd_dq computes backward_dq only; "
             "flash_bwd_dkv_sm90 computes backward_dkv only; flash_bwd_dq_sm90 computes backward_dq only; "
             "row_softmax computes row_softmax only"});
}

TEST_CASE("scratch memory is counted to the byte") {
  // q and o: 2 heads; k and v: one; 64 rows of 32 columns of 2 bytes; lse: 4 bytes a row.
  CHECK(TimingScratch::bytes(kSmallAttention) == 2 * 2 * 64 * 32 * 2 + 2 * 64 * 32 * 2 + 2 * 64 * 4);
  CHECK(TimingScratch::bytes(kSmallRows) == 2 * 40 * 100 * 4 + 40 * 4);
  // Stages of backward: tensors of a query or a kv head, and row terms of 64 rows padded to 128.
  const int64_t query = 2 * 64 * 32 * 2, kv = 64 * 32 * 2, statistics = 2 * 64 * 4 + 2 * 128 * 2 * 4;
  Problem stage = kSmallAttention;
  stage.operation = Operation::backward_delta;
  CHECK(TimingScratch::bytes(stage) == 2 * query + statistics);  // o dout
  stage.operation = Operation::backward_dkv;
  CHECK(TimingScratch::bytes(stage) == 2 * query + 4 * kv + statistics);  // q dout, k v dk dv
  stage.operation = Operation::backward_dq;
  CHECK(TimingScratch::bytes(stage) == 3 * query + 2 * kv + statistics);  // q dout dq, k v
}

TEST_CASE("where scratch memory is bounded, a smaller problem is timed and says so") {
  TuningBench bench;
  Problem problem = kSmallAttention;
  problem.batch = 5, problem.heads_q = 12, problem.heads_kv = 4;
  Problem one_sequence = problem;
  one_sequence.batch = 1;
  Problem few_heads = one_sequence;
  few_heads.heads_q = 3, few_heads.heads_kv = 1;

  const auto timed = [&](int64_t scratch_bytes) {
    const TuneReport report =
        bench.tune(problem, {.force = true, .scratch_bytes = scratch_bytes, .max_candidates = 1});
    CHECK(report.problem == problem);
    const Record record = bench.database->records().back();
    CHECK(record.bucket == bench.bucket(problem));  // the answer is for what was asked
    CHECK(record.shape == describe(report.timed));
    CHECK(record.batch == report.timed.batch);
    CHECK(record.heads_q == report.timed.heads_q);
    CHECK(winner_of(report) != "none");
    return report.timed;
  };
  CHECK(timed(0) == problem);
  CHECK(timed(TimingScratch::bytes(problem)) == problem);
  Problem three = problem;
  three.batch = 3;
  CHECK(timed(TimingScratch::bytes(problem) - 1) == three);
  CHECK(timed(TimingScratch::bytes(one_sequence)) == one_sequence);
  CHECK(timed(TimingScratch::bytes(few_heads)) == few_heads);  // the group stays

  const int64_t need = TimingScratch::bytes(few_heads);
  CHECK(caught([&] { bench.tune(problem, {.scratch_bytes = need - 1}); }) ==
        Caught{ATTUNE_ERROR_OUT_OF_MEMORY,
               fmt::format("tuning {} needs {} bytes of scratch memory, {} are allowed ({} free)",
                           describe(few_heads), need, need - 1, int64_t{1} << 40)});
  bench.backend.free_memory = 1000;
  CHECK(caught([&] { bench.tune(problem, {.scratch_bytes = 1 << 30}); }) ==
        Caught{ATTUNE_ERROR_OUT_OF_MEMORY,
               fmt::format("tuning {} needs {} bytes of scratch memory, 1000 are allowed (1000 free)",
                           describe(few_heads), need)});
  bench.backend.free_memory = SIZE_MAX;  // unbounded
  CHECK(timed(0) == problem);
}

TEST_CASE("the workspace that candidates take turns at counts as scratch memory, once") {
  TuningBench bench;
  bench.backend.script.otherwise.fault = Fault::does_not_compile;  // what is timed is known before
  Problem problem = kSmallAttention;
  problem.batch = 2, problem.seqlen_q = 1, problem.seqlen_kv = 2048;
  const auto workspace_of = [&](const Problem& timed) {
    size_t most = 0, decoders = 0;
    for (const Candidate& candidate : enumerate_candidates(timed, bench.backend.spec, {})) {
      if (!candidate.verdict.fits) continue;
      const size_t bytes = ScratchWorkspace::bytes(bench.backend, *candidate.family, timed, candidate.config);
      most = std::max(most, bytes);
      decoders += bytes > 0;
    }
    CHECK(decoders > 1);
    return static_cast<int64_t>(most);
  };
  const auto timed = [&](int64_t scratch_bytes) {
    return bench.tune(problem, {.force = true, .scratch_bytes = scratch_bytes}).timed;
  };
  const int64_t need = TimingScratch::bytes(problem) + workspace_of(problem);
  CHECK(timed(need) == problem);
  Problem one_sequence = problem;
  one_sequence.batch = 1;
  CHECK(timed(need - 1) == one_sequence);
}

TEST_CASE("where times mean nothing, each candidate is timed once") {
  TuningBench bench;
  bench.backend.is_a_gpu = false;
  const TuneReport report = bench.tune(kSmallRows);
  CHECK(bench.backend.timed() == 12);
  CHECK(report.complete);
  for (const Trial& trial : report.trials)
    CHECK(trial.measurement.samples.size() == 1);
  CHECK(winner_of(report) != "none");
}

TEST_CASE("a missing compiler is an error of tuning, not an outcome") {
  TuningBench bench;
  bench.backend.fake_compiler.is_missing = true;
  CHECK(caught([&] { bench.tune(kSmallRows); }) ==
        Caught{ATTUNE_ERROR_NO_COMPILER, "the fake compiler is missing"});
  CHECK(bench.database->records().empty());
}

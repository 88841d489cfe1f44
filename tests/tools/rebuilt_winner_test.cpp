// Winners built again: equal, another compiler's, or wrong.
#include "tools/rebuilt_winner.h"

#include "support/catch.h"
#include "support/recorded_bench.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("a winner that the same compiler builds alike is equal") {
  TuningBench bench;
  const RecordedBench recording(bench, {kSmallRows});
  const auto winners = rebuild_winners(recording.problems, bench.templates, bench.backend.fake_compiler);
  REQUIRE(winners.size() == 1);
  CHECK(winners[0].is_equal());
  CHECK_FALSE(winners[0].is_fault());
  CHECK(verdict_of(winners[0], bench.backend.fake_compiler) == "equal");
}

TEST_CASE("a difference is a fault only when the compiler is the same") {
  TuningBench bench;
  const RecordedBench recording(bench, {kSmallRows});
  const bool other_compiler = GENERATE(false, true);
  const bool other_registers = GENERATE(false, true);
  if (other_compiler) bench.backend.fake_compiler.version = "fake 2.0 x";
  if (other_registers)
    bench.backend.script.otherwise.registers = 99;
  else
    bench.backend.script.otherwise.image_version = 2;
  const RebuiltWinner winner =
      rebuild_winners(recording.problems, bench.templates, bench.backend.fake_compiler).front();
  CHECK_FALSE(winner.is_equal());
  CHECK(winner.is_fault() == !other_compiler);
  CHECK_THAT(verdict_of(winner, bench.backend.fake_compiler),
             ContainsSubstring(other_compiler ? "fake 2.0 here, fake 1.0 there" : "DIFFERS"));
}

TEST_CASE("a winner that does not compile, or is no config any more, is a fault") {
  TuningBench bench;
  RecordedBench recording(bench, {kSmallRows});
  bench.backend.fake_compiler.version = "fake 2.0";
  SECTION("does not compile") {
    bench.backend.script.otherwise.fault = Fault::does_not_compile;
    const auto winner =
        rebuild_winners(recording.problems, bench.templates, bench.backend.fake_compiler).front();
    CHECK(winner.is_fault());
    CHECK_THAT(winner.problem, ContainsSubstring("does not compile: flash_fwd.cuh(7)"));
  }
  SECTION("hostile config") {
    recording.problems[0].ranked[0].record.config = "WARPS=4 ROWS_PER_BLOCK=99";
    const int before = bench.backend.fake_compiler.compilations;
    const auto winner =
        rebuild_winners(recording.problems, bench.templates, bench.backend.fake_compiler).front();
    CHECK(winner.is_fault());
    CHECK_THAT(winner.problem, ContainsSubstring("ROWS_PER_BLOCK"));
    CHECK(bench.backend.fake_compiler.compilations == before);
  }
}

TEST_CASE("problems that share an image build it once") {
  TuningBench bench;
  Problem longer = kSmallRows;
  longer.seqlen_q = 400;
  const RecordedBench recording(bench, {kSmallRows, longer});
  const int before = bench.backend.fake_compiler.compilations;
  const auto winners = rebuild_winners(recording.problems, bench.templates, bench.backend.fake_compiler);
  REQUIRE(winners.size() == 2);
  CHECK(winners[0].hash == winners[1].hash);
  CHECK(bench.backend.fake_compiler.compilations == before + 1);
}

#include "tune/compile_queue.h"

#include <set>

#include "support/catch.h"
#include "support/caught.h"
#include "support/tuning_bench.h"

using namespace attune;
using Clock = std::chrono::steady_clock;

namespace {

struct Candidates {
  explicit Candidates(const TuningBench& bench)
      : owned(enumerate_candidates(kSmallRows, bench.backend.spec, {})) {
    for (const Candidate& candidate : owned)
      pointers.push_back(&candidate);
  }
  std::vector<Candidate> owned;
  std::vector<const Candidate*> pointers;
};

}  // namespace

TEST_CASE("the queue hands over every candidate once, those that fail too") {
  TuningBench bench;
  const Candidates candidates(bench);
  bench.backend.script[candidates.owned[5].config].fault = Fault::does_not_compile;
  CompileQueue queue(bench.backend.compiler(), *bench.images, bench.templates, kSmallRows,
                     candidates.pointers, Clock::time_point::max());
  std::set<size_t> indices;
  while (const std::optional<Compiled> compiled = queue.next()) {
    CHECK(indices.insert(compiled->index).second);
    REQUIRE(compiled->image.result != nullptr);
    CHECK(compiled->image.result->image.has_value() == (compiled->index != 5));
    CHECK(compiled->image.source == ImageSource::built);
  }
  CHECK(indices.size() == 12);
  CHECK(bench.backend.fake_compiler.compilations == 12);
  CHECK_FALSE(queue.next().has_value());
}

TEST_CASE("after the deadline only the first is compiled") {
  TuningBench bench;
  const Candidates candidates(bench);
  CompileQueue queue(bench.backend.compiler(), *bench.images, bench.templates, kSmallRows,
                     candidates.pointers, Clock::now());
  const std::optional<Compiled> first = queue.next();
  REQUIRE(first.has_value());
  CHECK(first->index == 0);
  CHECK_FALSE(queue.next().has_value());
  CHECK(bench.backend.fake_compiler.compilations == 1);
}

TEST_CASE("nothing to compile is not an error") {
  TuningBench bench;
  CompileQueue queue(bench.backend.compiler(), *bench.images, bench.templates, kSmallRows, {},
                     Clock::time_point::max());
  CHECK_FALSE(queue.next().has_value());
}

TEST_CASE("what the compiler throws reaches the caller, and the queue ends") {
  TuningBench bench;
  const Candidates candidates(bench);
  bench.backend.fake_compiler.is_missing = true;
  CompileQueue queue(bench.backend.compiler(), *bench.images, bench.templates, kSmallRows,
                     candidates.pointers, Clock::time_point::max());
  CHECK(caught([&] { queue.next(); }) == Caught{ATTUNE_ERROR_NO_COMPILER, "the fake compiler is missing"});
}

TEST_CASE("a queue that is given up waits for what is under way and begins nothing new") {
  TuningBench bench;
  bench.backend.script.otherwise.compile = std::chrono::milliseconds(150);
  Problem problem = kSmallAttention;
  const std::vector<Candidate> owned = enumerate_candidates(problem, bench.backend.spec, {});
  std::vector<const Candidate*> pointers;
  for (const Candidate& candidate : owned)
    pointers.push_back(&candidate);
  REQUIRE(pointers.size() > 16);  // more than the queue's threads
  {
    CompileQueue queue(bench.backend.compiler(), *bench.images, bench.templates, problem, pointers,
                       Clock::time_point::max());
  }
  const int compilations = bench.backend.fake_compiler.compilations;
  CHECK(compilations <= 16);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(bench.backend.fake_compiler.compilations == compilations);
}

// Known problems are planned once: no database, specialisation or compiler is asked again.
#include "dispatch/plan_cache.h"

#include <barrier>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <thread>

#include "dispatch/lookup.h"
#include "dispatch/planner_bench.h"
#include "support/catch.h"

using namespace attune;

namespace {

struct CacheBench : PlannerBench {
  PlanCache plans;
  std::atomic<int> made = 0;

  std::shared_ptr<const Plan> get(const Problem& problem, bool keep = true) {
    return plans.get_or_make(problem, [&]() -> PlanCache::Made {
      const uint64_t generation = plans.generation();
      ++made;
      return {.plan = plan(problem, TuningPolicy::off), .keep = keep, .generation = generation};
    });
  }
};

Problem of_batch(int64_t batch) {
  Problem problem = kSmallAttention;
  problem.batch = batch;
  return problem;
}

}  // namespace

TEST_CASE("a known problem gives the same plan and asks nobody") {
  CacheBench bench;
  bench.database->add(bench.record(kSmallAttention, kChosen));
  const auto first = bench.get(kSmallAttention);
  const int identities = bench.backend.fake_compiler.identities;
  const ImageCounts counts = bench.images->counts();
  bench.database = nullptr;  // whoever asked for it now would crash
  for (int i = 0; i < 100; ++i)
    CHECK(bench.get(kSmallAttention) == first);
  CHECK(bench.made == 1);
  CHECK(bench.backend.fake_compiler.identities == identities);
  CHECK(bench.images->counts().hits_memory == counts.hits_memory);
  CHECK(bench.images->counts().hits_disk == counts.hits_disk);
  CHECK(bench.backend.loads == 1);
}

TEST_CASE("every field of a problem tells plans apart") {
  CacheBench bench;
  const auto first = bench.get(kSmallAttention);
  Problem other = kSmallAttention;
  SECTION("batch") {
    other.batch = 2;
  }
  SECTION("layout") {
    other.layout = Layout::bshd;
  }
  SECTION("mask") {
    other.mask = Mask::none;
  }
  SECTION("single config") {
    other.single_config = true;
  }
  SECTION("deterministic") {
    other.deterministic = true;
  }
  const auto second = bench.get(other);
  CHECK(second != first);
  CHECK(second->capacity() == other);
  CHECK(bench.get(kSmallAttention) == first);
}

TEST_CASE("forgetting concerns the plans of one static key") {
  CacheBench bench;
  Problem other = kSmallAttention;
  other.mask = Mask::none;
  const auto first = bench.get(kSmallAttention), second = bench.get(other);
  bench.plans.forget(static_key(kSmallAttention));
  CHECK(bench.get(other) == second);
  CHECK(bench.get(kSmallAttention) != first);
  CHECK(first->match() == Match::by_default);  // those in use stay
}

TEST_CASE("a plan is not kept when it is not settled, or when something was learnt while it was made") {
  CacheBench bench;
  bench.get(kSmallAttention, false);
  bench.get(kSmallAttention, false);
  CHECK(bench.made == 2);
  const auto outdated = bench.plans.get_or_make(kSmallAttention, [&]() -> PlanCache::Made {
    const uint64_t generation = bench.plans.generation();
    auto plan = bench.plan(kSmallAttention, TuningPolicy::off);
    bench.plans.forget(static_key(kSmallAttention));
    return {.plan = std::move(plan), .keep = true, .generation = generation};
  });
  CHECK(bench.get(kSmallAttention) != outdated);
  CHECK(bench.made == 3);
}

TEST_CASE("a failure is told and not remembered") {
  CacheBench bench;
  CHECK_THROWS_AS(
      bench.plans.get_or_make(kSmallAttention, []() -> PlanCache::Made { throw std::runtime_error("no"); }),
      std::runtime_error);
  CHECK(bench.get(kSmallAttention) != nullptr);
}

TEST_CASE("the cache is bounded, and what it gives up is unloaded") {
  CacheBench bench;
  const auto kept = bench.get(of_batch(1));
  for (int64_t batch = 2; batch <= static_cast<int64_t>(PlanCache::kCapacity) + 1; ++batch)
    bench.get(of_batch(batch));
  const int made = bench.made;
  bench.get(of_batch(2));
  CHECK(bench.made == made);
  CHECK(bench.get(of_batch(1)) != kept);
  CHECK(bench.made == made + 1);
}

TEST_CASE("64 threads that plan one problem compile and load it once") {
  CacheBench bench;
  bench.database->add(bench.record(kSmallAttention, kChosen));
  bench.backend.script[kChosen].compile = std::chrono::milliseconds(50);
  std::barrier start(64);
  std::atomic<int> wrong = 0;
  const bool by_cache = GENERATE(true, false);  // and each for itself, as after FORCE
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 64; ++i) {
      threads.emplace_back([&] {
        start.arrive_and_wait();
        const std::shared_ptr<const Plan> plan =
            by_cache ? bench.get(kSmallAttention) : bench.plan(kSmallAttention, TuningPolicy::off);
        wrong += !(plan->config() == kChosen);
      });
    }
  }
  CHECK(wrong == 0);
  CHECK(bench.backend.fake_compiler.compilations == 1);
  CHECK(bench.backend.loads == 1);
  if (by_cache) CHECK(bench.made == 1);
}

TEST_CASE("speed of planning a known problem, and one known to the database only", "[.]") {
  CacheBench bench;
  bench.tune(kSmallAttention);
  const auto time = [&](const char* what, int count, const std::function<void()>& body) {
    body();
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i)
      body();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    std::printf("%s: %.2f us\n", what, 1e6 * elapsed.count() / count);
  };
  time("known", 100000, [&] { bench.get(kSmallAttention); });
  time("planned anew, image and module in memory", 100,
       [&] { bench.plan(kSmallAttention, TuningPolicy::off); });
  const Candidate candidate{.family = find_family("flash_fwd"), .config = kChosen};
  const PlannerResources resources = bench.resources();
  time("  of which: specialise, hash, find the image", 100,
       [&] { image_of(candidate, kSmallAttention, resources); });
  time("  of which: ask the database for the bucket", 100, [&] { Lookup(kSmallAttention, resources); });
  time("  of which: ask it for the neighbours", 100,
       [&] { Lookup(kSmallAttention, resources).neighbours(); });
  time("  of which: rank and check", 100, [&] { Lookup(kSmallAttention, resources).exact(); });
}

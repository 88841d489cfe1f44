// What a context has planned before: at once, from any number of threads, and with the same fingerprint.
#include <sys/wait.h>
#include <unistd.h>

#include <SQLiteCpp/Database.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "capi/cached.h"
#include "capi/fixtures.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;

namespace {

uint64_t fingerprint_of(const PlanHandle& plan) {
  uint64_t fingerprint = 0;
  REQUIRE(attune_plan_get_fingerprint(plan.get(), &fingerprint) == ATTUNE_OK);
  return fingerprint;
}

template <typename Body>
double seconds_of(const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TEST_CASE("a known description asks neither database nor images", "[simt]") {
  CachedOptions cached;
  LogCapture capture;
  capture.attach(cached.options, ATTUNE_LOG_DEBUG);
  const ContextHandle context = make_context(cached.options);
  const PlanHandle first = make_plan(context.get(), small_desc());
  const ImageCounts before = context->images.counts();
  // Whoever asked the database now would degrade it, and say so.
  SQLite::Database(cached.database().string(), SQLite::OPEN_READWRITE)
      .exec("ALTER TABLE record RENAME COLUMN driver TO chauffeur");
  const size_t lines = capture.lines().size();
  const PlanHandle second = make_plan(context.get(), small_desc());
  CHECK(second != first);
  CHECK(context->images.counts().hits_memory == before.hits_memory);
  CHECK(context->images.counts().hits_disk == before.hits_disk);
  CHECK(context->images.counts().builds == 0);
  CHECK(capture.lines().size() == lines);
  CHECK(fingerprint_of(first) == fingerprint_of(second));
  CHECK(check_plan(context.get()) == ATTUNE_MATCH_DEFAULT);
}

TEST_CASE("plans of one context live apart", "[simt]") {
  CachedOptions cached;
  const ContextHandle context = make_context(cached.options);
  PlanHandle first = make_plan(context.get(), small_desc());
  const PlanHandle second = make_plan(context.get(), small_desc());
  const uint64_t fingerprint = fingerprint_of(first);
  first.reset();
  CHECK(fingerprint_of(second) == fingerprint);
  const ContextHandle other = make_context(cached.options);
  CHECK(fingerprint_of(make_plan(other.get(), small_desc())) == fingerprint);  // and in another process
  CHECK(other->images.counts().builds == 0);
}

TEST_CASE("64 threads that create one plan compile once", "[simt]") {
  const ContextHandle context = make_context(simt_options());
  const attune_attention_desc desc = small_desc();
  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 64; ++i) {
      threads.emplace_back([&] {
        attune_plan_t plan = nullptr;
        failures += attune_plan_create(&plan, context.get(), &desc) != ATTUNE_OK;
        attune_plan_destroy(plan);
      });
    }
  }
  CHECK(failures == 0);
  CHECK(context->images.counts().builds == 1);
}

TEST_CASE("4 processes that create one plan compile once", "[simt]") {
  CachedOptions cached;
  std::filesystem::remove_all(cached.directory() / "images");
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      attune_context_t context = nullptr;
      attune_plan_t plan = nullptr;
      const attune_attention_desc desc = small_desc();
      const bool ok = attune_context_create(&context, &cached.options) == ATTUNE_OK &&
                      attune_plan_create(&plan, context, &desc) == ATTUNE_OK;
      ::_exit(ok ? static_cast<int>(context->images.counts().builds) : 99);
    }
    children.push_back(child);
  }
  int builds = 0;
  for (const pid_t child : children) {
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    builds += WEXITSTATUS(status);
  }
  CHECK(builds == 1);
}

TEST_CASE("speed of creating plans", "[.]") {
  CachedOptions cached;
  const double created = seconds_of([&] { make_context(cached.options); });
  const ContextHandle context = make_context(cached.options);
  const double identity = seconds_of([&] { static_cast<void>(context->backend->compiler().identity()); });
  PlanHandle plan;
  const double first = seconds_of([&] { plan = make_plan(context.get(), small_desc()); });
  constexpr int kCount = 10000;
  const double known = seconds_of([&] {
    for (int i = 0; i < kCount; ++i)
      plan = make_plan(context.get(), small_desc());
  });
  std::printf(
      "context %.2f ms, the compiler's identity %.2f ms, first plan from the disk %.2f ms, known %.2f us\n",
      1e3 * created, 1e3 * identity, 1e3 * first, 1e6 * known / kCount);
}

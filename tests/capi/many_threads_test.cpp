// Many threads ask one context for one plan: one of them compiles, all get a plan that works.
#include <latch>
#include <thread>

#include "capi/context.h"
#include "capi/fixtures.h"
#include "cuda/driver_calls.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;
using attune::test::have_nvrtc;

namespace {

constexpr size_t kThreads = 64;

// No Catch macros in the threads: its version 2 is not made for them.
void ask_from_many_threads(const attune_context_options& options) {
  const ContextHandle context = make_context(options);
  const attune_attention_desc desc = small_desc();
  std::vector<attune_plan_t> plans(kThreads);
  std::vector<attune_status> statuses(kThreads, ATTUNE_ERROR_INTERNAL);
  std::latch ready(kThreads);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      ready.arrive_and_wait();
      statuses[i] = attune_plan_create(&plans[i], context.get(), &desc);
    });
  }
  for (std::thread& thread : threads)
    thread.join();

  const ImageCounts counts = context->images.counts();
  CHECK(counts.builds == 1);
  for (size_t i = 0; i < kThreads; ++i)
    CHECK(statuses[i] == ATTUNE_OK);
  const Forward forward(context.get(), desc, {1, 17, 33});
  const attune_attention_args args = forward.args();
  for (const size_t i : {size_t{0}, kThreads - 1}) {
    REQUIRE(attune_plan_execute(plans[i], &args, nullptr, 0, nullptr) == ATTUNE_OK);
    const Comparison comparison = forward.compare(forward.read());
    INFO(comparison.reason);
    CHECK(comparison.ok);
  }
  for (attune_plan_t plan : plans)
    attune_plan_destroy(plan);
}

}  // namespace

TEST_CASE("64 threads that ask for one plan compile once on the emulator", "[simt]") {
  ask_from_many_threads(simt_options());
}

TEST_CASE("64 threads that ask for one plan compile once on the GPU", "[gpu]") {
  ATTUNE_NEED_GPU();
  attune_context_options options = simt_options();
  options.device = "cuda";
  ask_from_many_threads(options);
}

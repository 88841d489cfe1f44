// Execute allocates nothing from the host's heap when it succeeds.
#include <atomic>
#include <cstdlib>
#include <new>

#include "capi/fixtures.h"
#include "cuda/driver_calls.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;
using namespace attune::test;

namespace {

// Of this thread, so that the emulator's threads and the driver's do not count.
thread_local int64_t allocation_count = 0;

template <typename Body>
int64_t allocations_of(const Body& body) {
  const int64_t before = allocation_count;
  body();
  return allocation_count - before;
}

[[maybe_unused]] void* counted(size_t bytes) {
  ++allocation_count;
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}

}  // namespace

// The address sanitizer has its own, and finds fault with a mixture.
#if !defined(__SANITIZE_ADDRESS__)
// For the whole test program; arrays and the nothrow forms end here, too.
void* operator new(size_t bytes) {
  return counted(bytes);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

#endif

TEST_CASE("allocations are counted") {
#if defined(__SANITIZE_ADDRESS__)
  ATTUNE_SKIP("not under the address sanitizer");
#endif
  // A plain new expression could be optimised away.
  CHECK(allocations_of([] { ::operator delete(::operator new(1)); }) == 1);
}

TEST_CASE("checking the arguments allocates nothing", "[simt]") {
  const PlanHandle plan = make_plan(shared_context(), small_desc());
  const Forward forward(shared_context(), small_desc(), {2, 7, 9});
  attune_attention_args args = forward.args();
  args.batch = 0;  // ends before the launch, for the emulator allocates
  attune_status status = ATTUNE_ERROR_INTERNAL;
  CHECK(allocations_of([&] { status = attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr); }) == 0);
  CHECK(status == ATTUNE_OK);
}

TEST_CASE("execute on a GPU allocates nothing", "[gpu]") {
  ATTUNE_NEED_GPU();
  attune_context_options options = simt_options();
  options.device = "cuda";
  const ContextHandle context = make_context(options);
  const PlanHandle plan = make_plan(context.get(), small_desc());
  const Forward forward(context.get(), small_desc(), {2, 7, 9});
  const attune_attention_args args = forward.args();
  attune_status status = attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr);
  REQUIRE(status == ATTUNE_OK);
  CHECK(allocations_of([&] { status = attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr); }) == 0);
  CHECK(status == ATTUNE_OK);
  CHECK(forward.compare(forward.read()).ok);
}

// After fork: what the parent made is gone in the child, and says so; the parent notices nothing.
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "capi/fixtures.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;

namespace {

// Runs in the child, which must not touch Catch; returns what went wrong, 0 for nothing.
int use_in_child(attune_context_t context, attune_plan_t plan, const attune_attention_args& args) {
  const attune_attention_desc desc = small_desc();
  attune_device_info info = ATTUNE_DEVICE_INFO_INIT;
  attune_plan_t other = nullptr;
  void* pointer = nullptr;
  size_t bytes = 0;
  attune_match match = ATTUNE_MATCH_DEFAULT;
  const char* config = nullptr;
  const attune_status calls[] = {attune_plan_execute(plan, &args, nullptr, 0, nullptr),
                                 attune_plan_create(&other, context, &desc),
                                 attune_context_tune(context, &desc, nullptr),
                                 attune_context_get_device_info(&info, context),
                                 attune_plan_get_workspace_size(plan, &bytes),
                                 attune_plan_get_match(plan, &match),
                                 attune_plan_get_config(plan, &config),
                                 attune_workspace_init(plan, nullptr, 0, nullptr),
                                 attune_memory_allocate(&pointer, context, 16),
                                 attune_memory_free(context, nullptr),
                                 attune_memory_copy(context, &info, &desc, 1),
                                 attune_stream_synchronize(context, nullptr)};
  int number = 0;
  for (const attune_status status : calls) {
    ++number;
    if (status != ATTUNE_ERROR_CONTEXT_LOST) return number;
  }
  if (std::strstr(attune_last_error_message(), "fork") == nullptr) return 50;
  attune_plan_destroy(plan);
  attune_context_destroy(context);

  const attune_context_options options = simt_options();
  attune_context_t own = nullptr;
  if (attune_context_create(&own, &options) != ATTUNE_OK) return 51;
  if (attune_context_get_device_info(&info, own) != ATTUNE_OK) return 52;
  attune_context_destroy(own);
  return 0;
}

}  // namespace

TEST_CASE("a forked child loses the context and may make its own", "[simt]") {
  const ContextHandle context = make_context(simt_options());
  const PlanHandle plan = make_plan(context.get(), small_desc());
  const Forward forward(context.get(), small_desc(), {1, 5, 6});
  const attune_attention_args args = forward.args();
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(use_in_child(context.get(), plan.get(), args));
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);

  REQUIRE(attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr) == ATTUNE_OK);
  CHECK(forward.compare(forward.read()).ok);
}

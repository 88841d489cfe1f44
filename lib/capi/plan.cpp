// Plans and their executions.
#include "dispatch/plan.h"

#include <memory>

#include "capi/context.h"
#include "capi/overlap.h"
#include "capi/reserved.h"
#include "capi/struct_version.h"
#include "capi/tuning.h"

using namespace attune;

struct attune_plan {
  attune_context& context;
  const std::unique_ptr<const Plan> plan;
};

namespace {

// A boundary for calls that have a plan. `body` takes the plan.
template <typename Body>
attune_status plan_boundary(attune_plan* handle, Body&& body) {
  if (!handle) return boundary([] { fail(ATTUNE_ERROR_INVALID_ARGUMENT, "plan is NULL"); });
  return boundary(&handle->context, [&](attune_context&) { body(*handle->plan); });
}

template <typename Value>
Value& required(Value* out, const char* what) {
  if (!out) fail(ATTUNE_ERROR_INVALID_ARGUMENT, "{} is NULL", what);
  return *out;
}

void check_overlap(const Plan& plan, const attune_attention_args& args) {
  const std::string overlap = find_overlap(plan.capacity(), resolve_arguments(plan.capacity(), args));
  if (!overlap.empty()) fail(ATTUNE_ERROR_INVALID_ARGUMENT, "{}", overlap);
}

}  // namespace

attune_status attune_plan_create(attune_plan_t* plan, attune_context_t context,
                                 const attune_attention_desc* desc) {
  if (plan) *plan = nullptr;
  return boundary(context, [&](attune_context& known) {
    attune_plan_t& out = required(plan, "attune_plan_create: plan");
    attune_attention_desc storage;
    const Problem problem = problem_from_desc(widened(desc, storage));
    const TuneHook hook = [&known](const Problem& wanted) { tune_for_plan(known, wanted); };
    std::unique_ptr<Plan> made = make_plan(problem, known.planner_resources(), planning_policy(known), hook);
    out = new attune_plan{known, std::move(made)};
  });
}

void attune_plan_destroy(attune_plan_t plan) {
  // See attune_context_destroy.
  if (!plan || plan->context.fork.forked()) return;
  delete plan;
}

attune_status attune_plan_get_workspace_size(attune_plan_t plan, size_t* bytes) {
  if (bytes) *bytes = 0;
  return plan_boundary(plan, [&](const Plan& known) { required(bytes, "bytes") = known.workspace_bytes(); });
}

attune_status attune_plan_get_match(attune_plan_t plan, attune_match* match) {
  if (match) *match = ATTUNE_MATCH_DEFAULT;
  return plan_boundary(
      plan, [&](const Plan& known) { required(match, "match") = static_cast<attune_match>(known.match()); });
}

attune_status attune_plan_get_config(attune_plan_t plan, const char** config) {
  if (config) *config = nullptr;
  return plan_boundary(plan,
                       [&](const Plan& known) { required(config, "config") = known.config_text().c_str(); });
}

attune_status attune_plan_execute(attune_plan_t plan, const attune_attention_args* args, void* workspace,
                                  size_t workspace_bytes, struct CUstream_st* stream) {
  return plan_boundary(plan, [&](const Plan& known) {
    attune_attention_args storage;
    const attune_attention_args& wanted = widened(args, storage);
    check_reserved(wanted);
    if (plan->context.options.check) check_overlap(known, wanted);
    known.execute(wanted, workspace, workspace_bytes, stream);
  });
}

attune_status attune_workspace_init(attune_plan_t plan, void* workspace, size_t workspace_bytes,
                                    struct CUstream_st*) {
  // No kernel wants a zeroed workspace yet.
  return plan_boundary(
      plan, [&](const Plan& known) { check_workspace(known.workspace_bytes(), workspace, workspace_bytes); });
}

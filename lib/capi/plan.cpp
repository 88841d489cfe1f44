// Plans and their executions.
#include "dispatch/plan.h"

#include <memory>

#include "capi/context.h"
#include "capi/lse_check.h"
#include "capi/overlap.h"
#include "capi/reserved.h"
#include "capi/struct_version.h"
#include "capi/tuning.h"
#include "dispatch/planner.h"
#include "dispatch/reference_plan.h"

using namespace attune;

struct attune_plan {
  attune_context& context;
  const std::shared_ptr<const Executable> plan;
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

// What ATTUNE_CHECK=1 asks for.
void check_expensively(const attune_plan& handle, const attune_attention_args& args, void* workspace,
                       attune::Stream stream) {
  const Executable& plan = *handle.plan;
  const Problem& capacity = plan.capacity();
  const bool is_backward = capacity.operation == Operation::backward;
  GradientArguments gradients;
  Arguments arguments = is_backward ? resolve_backward_arguments(capacity, args, workspace, gradients)
                                    : resolve_arguments(capacity, args);
  if (!is_backward && plan.workspace_bytes() > 0) arguments.workspace = workspace;
  const std::string overlap = find_overlap(capacity, arguments, plan.workspace_bytes());
  if (!overlap.empty()) fail(ATTUNE_ERROR_INVALID_ARGUMENT, "{}", overlap);
  if (!is_backward) return;
  const std::string wrong =
      find_wrong_lse(capacity, arguments, *handle.context.backend, stream, handle.context.log);
  if (!wrong.empty()) fail(ATTUNE_ERROR_INVALID_ARGUMENT, "{}", wrong);
}

// A known plan, else a new one.
std::shared_ptr<const Executable> plan_for(attune_context& context, const Problem& problem) {
  if (context.is_reference()) return make_reference_plan(problem);
  const TuningPolicy policy = planning_policy(context);
  uint64_t generation = 0;
  const TuneHook hook = [&](const Problem& wanted, const std::vector<Candidate>& seeds) {
    tune_for_plan(context, wanted, seeds);
    generation = context.plans.generation();
  };
  const auto make = [&]() -> PlanCache::Made {
    generation = context.plans.generation();
    std::shared_ptr<const Plan> plan = make_plan(problem, context.planner_resources(), policy, hook);
    // Under `miss` the next one tries to tune again as long as there is no fresh record and could be one.
    const bool keep = policy == TuningPolicy::off || plan->is_fresh() || !has_work(problem);
    return {.plan = std::move(plan), .keep = keep, .generation = generation};
  };
  if (policy == TuningPolicy::force) return make().plan;
  return context.plans.get_or_make(problem, make);
}

}  // namespace

attune_status attune_plan_create(attune_plan_t* plan, attune_context_t context,
                                 const attune_attention_desc* desc) {
  if (plan) *plan = nullptr;
  return boundary(context, [&](attune_context& known) {
    attune_plan_t& out = required(plan, "attune_plan_create: plan");
    attune_attention_desc storage;
    const Problem problem = problem_from_desc(widened(desc, storage));
    out = new attune_plan{known, plan_for(known, problem)};
  });
}

void attune_plan_destroy(attune_plan_t plan) {
  // See attune_context_destroy.
  if (!plan || plan->context.fork.forked()) return;
  delete plan;
}

attune_status attune_plan_get_workspace_size(attune_plan_t plan, size_t* bytes) {
  if (bytes) *bytes = 0;
  return plan_boundary(plan,
                       [&](const Executable& known) { required(bytes, "bytes") = known.workspace_bytes(); });
}

attune_status attune_plan_get_match(attune_plan_t plan, attune_match* match) {
  if (match) *match = ATTUNE_MATCH_DEFAULT;
  return plan_boundary(plan, [&](const Executable& known) {
    required(match, "match") = static_cast<attune_match>(known.match());
  });
}

attune_status attune_plan_get_config(attune_plan_t plan, const char** config) {
  if (config) *config = nullptr;
  return plan_boundary(
      plan, [&](const Executable& known) { required(config, "config") = known.config_text().c_str(); });
}

attune_status attune_plan_get_fingerprint(attune_plan_t plan, uint64_t* fingerprint) {
  if (fingerprint) *fingerprint = 0;
  return plan_boundary(
      plan, [&](const Executable& known) { required(fingerprint, "fingerprint") = known.fingerprint(); });
}

attune_status attune_plan_execute(attune_plan_t plan, const attune_attention_args* args, void* workspace,
                                  size_t workspace_bytes, struct CUstream_st* stream) {
  return plan_boundary(plan, [&](const Executable& known) {
    attune_attention_args storage;
    const attune_attention_args& wanted = widened(args, storage);
    check_reserved(wanted, known.capacity().operation);
    if (plan->context.options.check) {
      check_workspace(known, workspace, workspace_bytes);
      check_expensively(*plan, wanted, workspace, stream);
    }
    known.execute(wanted, workspace, workspace_bytes, stream);
  });
}

attune_status attune_workspace_init(attune_plan_t plan, void* workspace, size_t workspace_bytes,
                                    struct CUstream_st* stream) {
  return plan_boundary(plan, [&](const Executable& known) {
    check_workspace(known, workspace, workspace_bytes);
    if (workspace) known.prepare_workspace(workspace, stream);
  });
}

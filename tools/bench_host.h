// attune-bench --host: what plan creation and execute cost the host, through the C API, against the bounds of
// the design.
#pragma once

#include <vector>

#include "capi/context.h"
#include "tools/host_cost.h"

namespace attune {

// Bounds of the design: seconds, on a machine with a GPU. On the emulator times are shown and not judged.
constexpr double kFirstPlanSeconds = 5e-3;   // a new context, database and images on disk
constexpr double kKnownPlanSeconds = 50e-6;  // the same description again
constexpr double kExecuteOverBare = 0.5e-6;  // an execute less the bare launch of its kernel
constexpr int kThreads = 64;                 // that ask for one plan at the same time

// Creates contexts of its own on a scratch cache directory; `options` says the rest. Throws Error when the
// device cannot be used at all.
std::vector<HostCost> bench_host(const ContextOptions& options);

// Its parts, a row or two each.
std::vector<HostCost> bench_plan_creation(const ContextOptions& options);
HostCost bench_one_key(const ContextOptions& options);
std::vector<HostCost> bench_execute(attune_context& context);
std::vector<HostCost> bench_graphs(attune_context& context);

// A plan of the C API that is destroyed at the end. Throws Error with the API's message.
class ApiPlan {
 public:
  ApiPlan(attune_context& context, const attune_attention_desc& desc);
  ~ApiPlan();
  ApiPlan(const ApiPlan&) = delete;
  ApiPlan& operator=(const ApiPlan&) = delete;

  attune_plan_t handle() const { return handle_; }

 private:
  attune_plan_t handle_ = nullptr;
};

// Throws Error with that status and the API's message, unless it is ATTUNE_OK.
void require_ok(attune_status status, const char* call);

// bf16, BHSD, causal, one sequence of up to 203 rows, 4 query heads on 2, D = 64: small enough for the
// emulator.
attune_attention_desc bench_desc();

}  // namespace attune

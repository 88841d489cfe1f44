// Planner: finds a config for a problem (record, or cost model), builds its kernel and makes the plan.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "dispatch/plan.h"
#include "dispatch/planner_resources.h"

namespace attune {

enum class TuningPolicy { miss = ATTUNE_TUNING_MISS, off = ATTUNE_TUNING_OFF, force = ATTUNE_TUNING_FORCE };

// Tunes a problem into the first database, the seeds first, within the bounds of plan creation. May fail by
// Error: planning goes on without.
using TuneHook = std::function<void(const Problem&, const std::vector<Candidate>& seeds)>;

// For each stage of the problem (problem/stages.h): takes the exact match, after tuning where the policy asks
// for it; else a near one, else the cost model's choice. Throws Error: UNSUPPORTED, NO_FEASIBLE_CONFIG,
// NO_COMPILER, INCOMPATIBLE_DRIVER, COMPILE_FAILED, OUT_OF_MEMORY, CONTEXT_LOST.
std::unique_ptr<Plan> make_plan(const Problem& problem, const PlannerResources& resources,
                                TuningPolicy policy, const TuneHook& tune);

}  // namespace attune

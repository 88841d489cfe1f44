// Tuning as the C API promises it: bounded at plan creation, unbounded on request.
#pragma once

#include <vector>

#include "capi/context.h"
#include "dispatch/planner.h"
#include "problem/problem.h"

namespace attune {

// The policy for plan creation: on a device whose timings say nothing of speed, only `force` tunes.
TuningPolicy planning_policy(const attune_context& context);

// Tunes within the context's bounds of time and memory, the seeds first. Throws Error; the planner then goes
// on without.
void tune_for_plan(attune_context& context, const Problem& problem, const std::vector<Candidate>& seeds);

}  // namespace attune

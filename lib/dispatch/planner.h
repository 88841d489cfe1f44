// Planner: finds a config for a problem (record, or cost model), builds its kernel and makes the plan.
#pragma once

#include <functional>
#include <memory>

#include "backend/backend.h"
#include "base/log.h"
#include "cache/compiled_images.h"
#include "cache/module_cache.h"
#include "db/tuning_db.h"
#include "dispatch/plan.h"
#include "kernels/registry.h"
#include "specialize/kernel_source.h"

namespace attune {

// What planning works with; all of it outlives the plans.
struct PlannerResources {
  Backend& backend;
  const TemplateStore& templates;
  CompiledImages& images;
  ModuleCache& modules;
  TuningDb& database;
  Margin margin;
  Log log;
};

enum class TuningPolicy { miss = ATTUNE_TUNING_MISS, off = ATTUNE_TUNING_OFF, force = ATTUNE_TUNING_FORCE };

// Tunes a problem into the database, within the bounds of plan creation. May fail by Error: planning goes on
// without.
using TuneHook = std::function<void(const Problem&)>;

// Throws Error: UNSUPPORTED, NO_FEASIBLE_CONFIG, NO_COMPILER, INCOMPATIBLE_DRIVER, COMPILE_FAILED,
// OUT_OF_MEMORY, CONTEXT_LOST.
std::unique_ptr<Plan> make_plan(const Problem& problem, const PlannerResources& resources,
                                TuningPolicy policy, const TuneHook& tune);

}  // namespace attune

// PlannerResources: what planning works with.
#pragma once

#include <vector>

#include "backend/backend.h"
#include "base/log.h"
#include "cache/compiled_images.h"
#include "cache/module_cache.h"
#include "db/tuning_db.h"
#include "specialize/kernel_source.h"

namespace attune {

// All of it outlives the plans.
struct PlannerResources {
  Backend& backend;
  const TemplateStore& templates;
  CompiledImages& images;
  ModuleCache& modules;
  std::vector<TuningDb*>
      databases;  // in the order in which they are believed: the user's, the site's, the shipped one
  Margin margin;
  Log log;
};

}  // namespace attune

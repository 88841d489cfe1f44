// attune_context: what one device's plans share. It owns all mutable state of the library.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "base/error.h"
#include "base/fork_detector.h"
#include "base/log.h"
#include "cache/compiled_images.h"
#include "cache/image_cache.h"
#include "cache/module_cache.h"
#include "capi/boundary.h"
#include "capi/context_options.h"
#include "db/tuning_db.h"
#include "dispatch/plan_cache.h"
#include "dispatch/planner_resources.h"
#include "specialize/kernel_source.h"
#include "tune/tuner.h"

// Members are destroyed from the last to the first: modules before the backend that must unload them.
struct attune_context {
  explicit attune_context(const attune::ContextOptions& options);
  attune_context(const attune_context&) = delete;
  attune_context& operator=(const attune_context&) = delete;

  attune::PlannerResources planner_resources();
  // `bound_seconds`: of the wall time that tuning may take, so that no candidate is waited for much longer;
  // 0: none.
  attune::TuneResources tune_resources(double bound_seconds = 0);
  // Whether trials are answered from what the shipped database recorded of another machine.
  bool replays() const { return options.device.kind == attune::DeviceKind::recorded; }
  bool tries_in_workers() const;

  // Whether plans compute on the CPU, without kernels.
  bool is_reference() const { return options.device.kind == attune::DeviceKind::reference; }

  const attune::ForkDetector fork;
  const attune::ContextOptions options;
  const attune::Log log;
  const std::unique_ptr<attune::Backend> backend;
  const attune::TemplateStore templates;
  const std::optional<std::filesystem::path> cache_dir;  // where it can be used
  attune::ImageCache image_cache;
  attune::CompiledImages images;
  attune::ModuleCache modules;
  const std::unique_ptr<attune::TuningDb> database;       // the user's: the only one that is written to
  const std::unique_ptr<attune::TuningDb> site_database;  // null when there is none
  const std::unique_ptr<attune::TuningDb> shipped_database;
  attune::PlanCache plans;
  std::timed_mutex tuning;  // two at once would spoil each other's timings
};

namespace attune {

// Throws Error: INVALID_ARGUMENT for NULL, CONTEXT_LOST in a forked child.
void check_context(const attune_context* context);

// A boundary for calls that have a context: checks it first, and logs what fails. `body` takes the context.
template <typename Body>
attune_status boundary(attune_context* context, Body&& body) {
  return boundary([&] {
    check_context(context);
    try {
      std::forward<Body>(body)(*context);
    } catch (const Error& error) {
      context->log.write(ATTUNE_LOG_ERROR, "{}", error.what());
      throw;
    }
  });
}

}  // namespace attune

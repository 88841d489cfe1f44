#include "capi/context.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/files.h"
#include "capi/struct_version.h"
#include "db/shipped_db.h"
#include "recorded/recorded_backend.h"
#include "tune/isolation.h"
#include "tune/recorded_trial_runner.h"

namespace {

using namespace attune;

// The directory if it can be used. It is tried here, so that the image cache and the database do not both
// warn.
std::optional<std::filesystem::path> usable_cache_dir(const ContextOptions& options, const Log& log) {
  if (!options.cache_asked) return std::nullopt;
  if (options.device.kind == DeviceKind::reference) return std::nullopt;  // it has nothing to keep
  if (!options.cache_dir) {
    log.warning(
        "no cache directory: neither XDG_CACHE_HOME nor HOME is set; kernels and tuning stay in memory");
    return std::nullopt;
  }
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(*options.cache_dir, error);
  const std::string reason = error ? error.message() : make_private_directory(path);
  if (reason.empty()) return path;
  log.warning("cache directory {} cannot be used, kernels and tuning stay in memory: {}",
              options.cache_dir->string(), reason);
  return std::nullopt;
}

std::optional<std::filesystem::path> database_path(const std::optional<std::filesystem::path>& cache_dir) {
  if (!cache_dir) return std::nullopt;
  return *cache_dir / "tuning.db";
}

template <size_t Size>
void copy_text(char (&field)[Size], std::string_view text) {
  const size_t length = std::min(text.size(), Size - 1);
  std::copy_n(text.begin(), length, field);
  field[length] = '\0';
}

// A right kernel needs a fraction of these times. The emulator, which stops launches itself, needs more.
WorkerOptions worker_options(const ContextOptions& options, const Backend& backend, double bound_seconds) {
  WorkerOptions worker{
      .program = options.worker, .nvrtc_path = options.nvrtc_path, .simt_options = options.simt_options};
  if (!backend.timings_mean_speed()) {
    worker.trial_seconds = 600;
  } else if (bound_seconds > 0) {
    worker.compile_seconds = std::clamp(10 * bound_seconds, 30.0, worker.compile_seconds);
    worker.trial_seconds = std::clamp(2 * bound_seconds, 10.0, worker.trial_seconds);
  }
  return worker;
}

attune_device_info describe_device(const Backend& backend) {
  const DeviceSpec& device = backend.device();
  attune_device_info info = ATTUNE_DEVICE_INFO_INIT;
  copy_text(info.backend, backend.name());
  copy_text(info.name, device.name);
  copy_text(info.arch, device.arch);
  info.multiprocessors = device.multiprocessors;
  info.shared_memory_per_block = device.shared_per_block;
  info.global_memory = device.global_bytes;
  return info;
}

}  // namespace

attune_context::attune_context(const ContextOptions& given)
    : options(given),
      log(options.log_level, options.log_callback, options.log_user_data),
      backend(make_backend(options.device, options.nvrtc_path, options.simt_options, log)),
      templates(options.template_dir),
      cache_dir(usable_cache_dir(options, log)),
      image_cache(cache_dir, log),
      images(image_cache),
      database(TuningDb::open(database_path(cache_dir), log)),
      site_database(options.site_database ? TuningDb::open_read_only(*options.site_database, log) : nullptr),
      shipped_database(open_shipped_db(log)) {}

PlannerResources attune_context::planner_resources() {
  // In the order in which they are believed.
  std::vector<TuningDb*> databases = {database.get()};
  if (site_database) databases.push_back(site_database.get());
  databases.push_back(shipped_database.get());
  return {.backend = *backend,
          .templates = templates,
          .images = images,
          .modules = modules,
          .databases = std::move(databases),
          .margin = options.margin,
          .log = log};
}

bool attune_context::tries_in_workers() const {
  return !options.worker.empty() && !backend->word().empty();
}

TuneResources attune_context::tune_resources(double bound_seconds) {
  TuneResources resources{
      .backend = *backend, .templates = templates, .images = images, .database = *database, .log = log};
  if (replays()) {
    resources.make_runner = [this](const Problem& timed) {
      const auto& recorded = dynamic_cast<const RecordedBackend&>(*backend);
      return make_recorded_trial_runner(*backend, *shipped_database, recorded.recorded_key(), timed);
    };
  } else if (tries_in_workers()) {
    isolate(resources, worker_options(options, *backend, bound_seconds));
  }
  return resources;
}

void attune::check_context(const attune_context* context) {
  if (!context) fail(ATTUNE_ERROR_INVALID_ARGUMENT, "context is NULL");
  if (context->fork.forked()) {
    fail(ATTUNE_ERROR_CONTEXT_LOST,
         "this process was forked from the one that created the context; create another here");
  }
}

attune_status attune_context_create(attune_context_t* context, const attune_context_options* options) {
  if (context) *context = nullptr;
  return boundary([&] {
    if (!context) fail(ATTUNE_ERROR_INVALID_ARGUMENT, "attune_context_create: context is NULL");
    *context = new attune_context(resolve_options(options));
  });
}

void attune_context_destroy(attune_context_t context) {
  // In a forked child the members' locks, connections and threads are the parent's: leaking them is all one
  // can do.
  if (!context || context->fork.forked()) return;
  delete context;
}

attune_status attune_context_get_device_info(attune_device_info* info, attune_context_t context) {
  return boundary(context,
                  [&](const attune_context& known) { fill_struct(info, describe_device(*known.backend)); });
}

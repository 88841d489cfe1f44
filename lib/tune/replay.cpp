#include "tune/replay.h"

#include "base/error.h"
#include "device/keyed_device.h"
#include "recorded/recorded_backend.h"
#include "tune/recorded_compiler.h"
#include "tune/recorded_trial_runner.h"

namespace attune {

TuneReport replay(const RecordedProblem& problem, TuningDb& recordings, const Log& log) {
  const std::optional<KeyedDevice> device = device_of_key(problem.device_key);
  if (!device) fail(ATTUNE_ERROR_INVALID_ARGUMENT, "device key '{}' cannot be read", problem.device_key);
  const TemplateStore templates;
  const std::unique_ptr<RecordedBackend> backend = make_recorded_backend(
      {.key = problem.device_key,
       .spec = device->spec,
       .version = "recording 0",  // its database starts empty, so nothing can be stale
       .provenance = provenance_of(problem.records)},
      [&] { return std::make_unique<RecordedCompiler>(templates, std::vector{problem}); });
  ImageCache disk(std::nullopt, log);
  CompiledImages images(disk);
  const std::unique_ptr<TuningDb> database = TuningDb::open(std::nullopt, log);
  const auto make_runner = [&](const Problem& timed) {
    return make_recorded_trial_runner(*backend, recordings, problem.device_key, timed);
  };
  return tune(problem.problem, {*backend, templates, images, *database, log, make_runner}, {});
}

}  // namespace attune

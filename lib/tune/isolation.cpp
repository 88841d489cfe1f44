#include "tune/isolation.h"

#include <utility>

#include "tune/worker_compiler.h"
#include "tune/worker_trial_runner.h"

namespace attune {

void isolate(TuneResources& resources, WorkerOptions options) {
  Backend& backend = resources.backend;
  const auto workers = std::make_shared<Workers>(std::move(options), backend, resources.log);
  resources.make_runner = [&backend, workers](const Problem& timed) {
    return make_worker_trial_runner(backend, timed, workers);
  };
  resources.compiler = std::make_shared<WorkerCompiler>(backend, workers);
}

}  // namespace attune

// Isolation: tuning whose candidates are compiled and run in worker processes.
#pragma once

#include "tune/tuner.h"
#include "tune/workers.h"

namespace attune {

// From here on the trials of `resources` are made in processes of their own, which last as long as it does.
void isolate(TuneResources& resources, WorkerOptions options);

}  // namespace attune

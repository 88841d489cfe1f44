// The trial runner of a worker process: whatever a candidate does there, it costs that candidate alone.
#pragma once

#include <memory>

#include "tune/trial_runner.h"
#include "tune/workers.h"

namespace attune {

// A candidate that takes its process along, or makes the device unusable there, has crashed; one that takes
// too long is stopped and has timed out; another worker goes on with the rest. Where no worker can be had,
// the trials run in this process.
std::unique_ptr<TrialRunner> make_worker_trial_runner(Backend& backend, const Problem& problem,
                                                      std::shared_ptr<Workers> workers);

}  // namespace attune

// The trial runner of the recorded backend: what became of a candidate on the GPU that was recorded, becomes
// of it here.
#pragma once

#include <memory>
#include <string>

#include "db/tuning_db.h"
#include "tune/trial_runner.h"

namespace attune {

// Answers from the trials that `recordings` has of exactly this problem on the device of that key. A
// candidate that failed there fails here, for the same reason; one that was never tried there fails and says
// so; the others race again on their samples. An image that is not the recorded one, as another compiler or
// template makes it, is told in the trial's reason. `backend` is a RecordedBackend.
std::unique_ptr<TrialRunner> make_recorded_trial_runner(Backend& backend, TuningDb& recordings,
                                                        const std::string& device_key,
                                                        const Problem& problem);

}  // namespace attune

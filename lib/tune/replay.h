// Replay: the tuning loop on a problem that was recorded; compiler and device are the recording.
#pragma once

#include "base/log.h"
#include "db/recorded_problem.h"
#include "db/tuning_db.h"
#include "tune/tuner.h"

namespace attune {

// Everything of tune() but the compiler and the GPU: enumerating, pruning, the race on the stored samples,
// ties. Takes milliseconds. `recordings` holds the trials of `problem`; nothing is added to any database.
// Throws as tune() does, and Error (INVALID_ARGUMENT) for a device key that cannot be read.
TuneReport replay(const RecordedProblem& problem, TuningDb& recordings, const Log& log);

}  // namespace attune

// Trials as records of the tuning database, and back.
#pragma once

#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "db/tuning_db.h"
#include "tune/trial.h"

namespace attune {

// The reason of a record whose outcome is ok and whose race was run by replay (Measurement::by_replay).
constexpr std::string_view kTimedByReplay = "timed by replay";

// `problem` is what was asked and gives the bucket, `timed` the shape that was measured.
Record record_of(const Trial& trial, const Problem& problem, const Problem& timed, Backend& backend,
                 const Margin& margin);

// The newest record of this trial's candidate (family, config, compiler) at the shape that is to be timed
// now, when it answers the trial: timed, of the same image, under this driver, and by replay when it is as
// short as what is timed by replay now (`replayed_below`): single launches read longer, so an old record
// would lose to every new one. nullptr when not, or when the candidate's newest record of any shape is of
// another image or of a failure.
const Record* find_answer(const std::vector<Record>& records, const Trial& trial, const Problem& timed,
                          const Toolchain& now, double replayed_below);

// Whether this trial would be one that has crashed or timed out before: the newest record of its candidate,
// with this compiler and driver, has that outcome with this very image, or with this source where the
// compiler never made one. nullptr when not.
const Record* find_crash(const std::vector<Record>& records, const Trial& trial, const Toolchain& now);

// Takes over outcome and measurement.
void reuse(const Record& record, Trial& trial);

}  // namespace attune

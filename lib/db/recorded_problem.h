// RecordedProblem: a problem that was tuned somewhere, with its trials, found again in records alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "db/ranking.h"
#include "db/record.h"
#include "problem/problem.h"

namespace attune {

// The problem that was measured, from the record's static key and shape. Nothing when these texts are not
// what static_key() and describe() say of it now: they were written by another version, or by a stranger.
std::optional<Problem> problem_of(const Record& record);

struct RecordedProblem {
  std::string device_key;
  Problem problem;
  std::vector<Record> records;  // in the order given

  // The trials with a time, best first, by the toolchain of the newest one; never empty.
  std::vector<Choice> ranked;
};

// Every problem (device, bucket and shape) that these records have a time for, in the order in which they
// were first seen. `unknown` (when not null) counts the records whose problem this version cannot tell.
std::vector<RecordedProblem> recorded_problems(const std::vector<Record>& records, size_t* unknown = nullptr);

// What people must be told beside any time of these records: "NVIDIA H200, 2026-11-22, attune 0.1.0+8fe8cd2,
// driver 580.65 nvrtc 13.0". The day is UTC; of several values the first and the last.
std::string provenance_of(const std::vector<Record>& records);

}  // namespace attune

// The report of a tuning run as text: what was tried and how it went, what was pruned and why, the winner.
#pragma once

#include <string>

#include "device/device_spec.h"
#include "tune/tuner.h"

namespace attune {

// What the numbers of a report stand for.
struct ReportContext {
  std::string device;  // "NVIDIA H200 (cuda, sm_90a)"
  int multiprocessors = 0;
  bool compiled_only = false;
  bool timings_mean_speed = false;  // else no time is shown
  std::string provenance;           // where the times were measured, if not here and now
};

// Problem, candidates, pruned candidates and winner, each line ended by a line feed.
std::string report_text(const TuneReport& report, const ReportContext& context);

// The last line of it: "winner: ..." or why there is none.
std::string winner_line(const TuneReport& report, const ReportContext& context);

}  // namespace attune

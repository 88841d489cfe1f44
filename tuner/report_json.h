// The report of a tuning run as JSON, for `--json`.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "tune/tuner.h"
#include "tuner/report_table.h"

namespace attune {

// Times are in seconds and only there when they mean something.
nlohmann::json report_json(const TuneReport& report, const ReportContext& context);

}  // namespace attune

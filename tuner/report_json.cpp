#include "tuner/report_json.h"

#include <nlohmann/json.hpp>

#include "cli/problem_json.h"

namespace attune {
namespace {

using nlohmann::json;

json trial_json(const Trial& trial, const ReportContext& context) {
  json config = json::object();
  for (const auto& [name, value] : trial.candidate.config.values())
    config[name] = value;
  json object = {{"family", trial.candidate.family->name()},
                 {"config", std::move(config)},
                 {"outcome", name_of(trial.outcome)},
                 {"shared_bytes", trial.candidate.use.shared_bytes},
                 {"threads", trial.candidate.use.threads},
                 {"predicted_registers", trial.candidate.use.registers_per_thread},
                 {"predicted_seconds", trial.candidate.predicted_seconds}};
  if (!trial.reason.empty()) object["reason"] = trial.reason;
  if (!trial.image_hash.empty()) {
    object["image_hash"] = trial.image_hash;
    object["registers"] = trial.registers;
    object["spill_bytes"] = trial.spill_bytes;
    object["compile_seconds"] = trial.compile_seconds;
  }
  if (!context.compiled_only) object["max_error"] = trial.max_error;
  if (context.timings_mean_speed && trial.timed()) {
    object["median_seconds"] = trial.measurement.median;
    object["ci_seconds"] = {trial.measurement.ci_low, trial.measurement.ci_high};
    object["samples_seconds"] = trial.measurement.samples;
    object["reused"] = trial.reused;
  }
  return object;
}

}  // namespace

json report_json(const TuneReport& report, const ReportContext& context) {
  json trials = json::array();
  for (const Trial& trial : report.trials)
    trials.push_back(trial_json(trial, context));
  json object = {{"problem", problem_to_json(report.problem)},
                 {"device", context.device},
                 {"compiled_only", context.compiled_only},
                 {"seconds", report.seconds},
                 {"complete", report.complete},
                 {"note", report.note},
                 {"winner", report.winner ? json(*report.winner) : json()},
                 {"trials", std::move(trials)}};
  if (!context.provenance.empty()) object["provenance"] = context.provenance;
  return object;
}

}  // namespace attune

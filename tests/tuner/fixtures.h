// A tuning report with one trial of each kind, made up.
#pragma once

#include "budget/budget.h"
#include "kernels/registry.h"
#include "tune/tuner.h"

namespace attune::tuner_test {

inline Trial sample_trial(int warps, Outcome outcome, double microseconds = 0) {
  Trial trial;
  trial.candidate.family = find_family("row_softmax");
  trial.candidate.config = Config{{"WARPS", warps}, {"ROWS_PER_BLOCK", 1}};
  trial.candidate.use = {.shared_bytes = 8 * warps, .threads = 32 * warps, .registers_per_thread = 32};
  trial.outcome = outcome;
  if (outcome == Outcome::over_budget) {
    trial.reason = "smem 240640 > 232448";
    return trial;
  }
  trial.image_hash = "0123456789abcdef";
  trial.registers = 30 + warps;
  trial.compile_seconds = 0.5;
  trial.max_error = 0.25;
  if (microseconds > 0) {
    trial.measurement.samples = {microseconds * 1e-6};
    trial.measurement.median = microseconds * 1e-6;
    trial.measurement.ci_low = 0.9 * microseconds * 1e-6;
    trial.measurement.ci_high = 1.1 * microseconds * 1e-6;
  }
  return trial;
}

inline TuneReport sample_report() {
  TuneReport report;
  report.problem = {
      .operation = Operation::row_softmax, .dtype = DType::f32, .seqlen_q = 1000, .seqlen_kv = 1000};
  report.timed = report.problem;
  report.trials = {sample_trial(1, Outcome::ok, 20), sample_trial(2, Outcome::ok, 10),
                   sample_trial(4, Outcome::wrong_result), sample_trial(8, Outcome::over_budget)};
  report.trials[2].reason = "o: worst error\nsecond line";
  report.winner = 1;
  report.seconds = 3.2;
  report.complete = true;
  return report;
}

}  // namespace attune::tuner_test

#include "tuner/report_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/text_table.h"
#include "cli/units.h"
#include "problem/bucket.h"

namespace attune {
namespace {

std::string name_of_trial(const Trial& trial) {
  return fmt::format("{} {}", trial.candidate.family->name(), to_string(trial.candidate.config));
}

// Timed ones first, fastest on top; the others stay in cost-model order.
std::vector<const Trial*> in_order_of_interest(const TuneReport& report) {
  std::vector<const Trial*> tried;
  for (const Trial& trial : report.trials) {
    if (trial.outcome != Outcome::over_budget) tried.push_back(&trial);
  }
  std::stable_sort(tried.begin(), tried.end(), [](const Trial* a, const Trial* b) {
    if (a->timed() != b->timed()) return a->timed();
    return a->timed() && a->measurement.median < b->measurement.median;
  });
  return tried;
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

// What the columns do not say.
std::string remark(const Trial& trial, const TuneReport& report, bool timings_mean_speed) {
  if (report.winner && &trial == &report.trials[*report.winner]) return "winner";
  if (!trial.reason.empty()) return first_line(trial.reason);
  if (trial.measurement.eliminated && timings_mean_speed) return "lost early";
  return trial.reused ? "from the database" : "";
}

std::string count_or_nothing(int64_t count, bool known) {
  return known ? fmt::format("{}", count) : "";
}

std::string tried_table(const TuneReport& report, const ReportContext& context) {
  TextTable table({{"candidate"},
                   {"outcome"},
                   {"registers", true},
                   {"estimate", true},
                   {"spills B", true},
                   {"shared B", true},
                   {"compile s", true},
                   {"error", true},
                   {"time µs [95 %]", true},
                   {"TFLOP/s", true},
                   {"remark"}});
  for (const Trial* trial : in_order_of_interest(report)) {
    const bool compiled = !trial->image_hash.empty();
    const bool has_time = context.timings_mean_speed && trial->timed();
    const Measurement& time = trial->measurement;
    table.add_row({name_of_trial(*trial), std::string(name_of(trial->outcome)),
                   count_or_nothing(trial->registers, trial->registers > 0),
                   fmt::format("~{}", trial->candidate.use.registers_per_thread),
                   count_or_nothing(trial->spill_bytes, compiled && trial->registers > 0),
                   fmt::format("{}", trial->candidate.use.shared_bytes),
                   trial->compile_seconds > 0 ? fmt::format("{:.2f}", trial->compile_seconds) : "",
                   trial->max_error > 0 ? fmt::format("{:.2f}", trial->max_error) : "",
                   has_time ? microseconds_with_interval(time.median, time.ci_low, time.ci_high) : "",
                   has_time ? teraflops(flops(report.timed), time.median) : "",
                   remark(*trial, report, context.timings_mean_speed)});
  }
  return table.text("  ");
}

std::string pruned_table(const TuneReport& report) {
  TextTable table({{"pruned before compiling"}, {"needs more than the device has"}});
  for (const Trial& trial : report.trials) {
    if (trial.outcome == Outcome::over_budget) table.add_row({name_of_trial(trial), trial.reason});
  }
  return table.empty() ? "" : table.text("  ");
}

std::string outcome_counts(const TuneReport& report) {
  std::string counts;
  for (const Outcome outcome :
       {Outcome::ok, Outcome::over_budget, Outcome::compile_failed, Outcome::launch_failed,
        Outcome::wrong_result, Outcome::timed_out, Outcome::crashed}) {
    const auto count = std::count_if(report.trials.begin(), report.trials.end(),
                                     [&](const Trial& trial) { return trial.outcome == outcome; });
    if (count > 0) counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, name_of(outcome));
  }
  return counts;
}

}  // namespace

std::string winner_line(const TuneReport& report, const ReportContext& context) {
  if (context.compiled_only) {
    return fmt::format("compiled only, nothing was run: {} in {}", outcome_counts(report),
                       duration(report.seconds));
  }
  if (!report.winner) {
    return fmt::format("no winner: {}{}{}", outcome_counts(report), report.note.empty() ? "" : "; ",
                       report.note);
  }
  const Trial& winner = report.trials[*report.winner];
  std::string line = fmt::format("winner: {}", name_of_trial(winner));
  if (context.timings_mean_speed) {
    const Measurement& time = winner.measurement;
    line +=
        fmt::format(", {} µs, {} TFLOP/s", microseconds_with_interval(time.median, time.ci_low, time.ci_high),
                    teraflops(flops(report.timed), time.median));
    if (!context.provenance.empty()) line += fmt::format(" ({})", context.provenance);
  } else {
    line += " (emulated: its results are right, nothing is known of its speed)";
  }
  return line + fmt::format("; {} in {}", outcome_counts(report), duration(report.seconds));
}

std::string report_text(const TuneReport& report, const ReportContext& context) {
  std::string text = fmt::format("{} on {}\n  bucket: {}\n", describe(report.problem), context.device,
                                 bucket_key(report.problem, context.multiprocessors));
  if (!context.provenance.empty()) text += fmt::format("  {}; nothing was run here\n", context.provenance);
  if (report.timed != report.problem)
    text += fmt::format("  timed as: {} (scratch memory is bounded)\n", describe(report.timed));
  text += tried_table(report, context);
  text += pruned_table(report);
  if (!report.note.empty()) text += fmt::format("  note: {}\n", report.note);
  return text + winner_line(report, context) + "\n";
}

}  // namespace attune

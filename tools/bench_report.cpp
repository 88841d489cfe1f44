#include "tools/bench_report.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/problem_json.h"
#include "cli/text_table.h"
#include "cli/units.h"

namespace attune {
namespace {

using nlohmann::json;

const char* name_of(Match match) {
  switch (match) {
    case Match::by_default:
      return "default";
    case Match::near:
      return "near";
    case Match::exact:
      return "exact";
  }
  return "?";
}

// Of the problem, by the conventions of problem.h.
double tflops_of(const Problem& problem, double seconds) {
  return flops(problem) / seconds * 1e-12;
}

std::string fraction_text(double tflops, double ceiling) {
  return ceiling > 0 ? fmt::format("{:.3f}", tflops / ceiling) : "";
}

// compare.py, too, keeps two decimals.
double rounded(double value) {
  return std::round(value * 100) / 100;
}

json row_json(const BenchRow& row, const BenchContext& context) {
  json object = problem_to_json(row.problem);
  const bool timed = context.timings_mean_speed && row.refused.empty();
  object["config"] = row.config.empty() ? json() : json(row.config);
  object["match"] = row.config.empty() ? json() : json(name_of(row.match));
  object["error"] = row.config.empty() || !std::isfinite(row.error) ? json() : json(row.error);
  object["refused"] = row.refused.empty() ? json::object() : json{{"attune", row.refused}};
  json tflops, time;
  if (timed) {
    tflops = json::array();
    for (const double seconds : row.round_seconds)
      tflops.push_back(rounded(tflops_of(row.problem, seconds)));
    time = {{"median", row.time.median},
            {"ci", {row.time.ci_low, row.time.ci_high}},
            {"samples", row.time.samples}};
  }
  object["tflops"] = {{"attune", std::move(tflops)}};
  object["time"] = std::move(time);
  return object;
}

}  // namespace

BenchContext describe_bench(const Backend& backend, const BenchOptions& options, double ceiling_tflops) {
  return {.device = fmt::format("{} ({}, {})", backend.device().name, backend.name(), backend.device().arch),
          .driver = backend.driver_version(),
          .timings_mean_speed = backend.timings_mean_speed(),
          .ceiling_tflops = ceiling_tflops,
          .options = options};
}

std::string bench_text(const std::vector<BenchRow>& rows, const BenchContext& context) {
  std::string text = fmt::format("{}, {}\n", context.device, context.driver);
  text += context.timings_mean_speed
              ? fmt::format("{} rounds of {} launches, taking turns, each with a cold L2 cache\n",
                            context.options.rounds, context.options.calls)
              : "emulated: results are checked, but its times say nothing of speed and are not shown\n";
  TextTable table({{"problem"},
                   {"config"},
                   {"match"},
                   {"error", true},
                   {"time µs [95 %]", true},
                   {"TFLOP/s", true},
                   {"GB/s", true},
                   {"of ceiling", true}});
  std::string refusals;
  for (const BenchRow& row : rows) {
    if (!row.refused.empty())
      refusals += fmt::format("refused: {}: {}\n", describe(row.problem), row.refused);
    const bool timed = context.timings_mean_speed && row.refused.empty();
    const Measurement& time = row.time;
    table.add_row({describe(row.problem), row.config, row.config.empty() ? "" : name_of(row.match),
                   row.config.empty() ? "" : fmt::format("{:.2f}", row.error),
                   timed ? microseconds_with_interval(time.median, time.ci_low, time.ci_high) : "",
                   timed ? teraflops(flops(row.problem), time.median) : "",
                   timed ? fmt::format("{:.0f}", minimum_bytes(row.problem) / time.median * 1e-9) : "",
                   timed ? fraction_text(tflops_of(row.problem, time.median), context.ceiling_tflops) : ""});
  }
  return text + table.text("  ") + refusals;
}

json bench_json(const std::vector<BenchRow>& rows, const BenchContext& context) {
  json list = json::array();
  for (const BenchRow& row : rows)
    list.push_back(row_json(row, context));
  json document{
      {"gpu", context.device},
      {"driver", context.driver},
      {"attune", fmt::format("{}.{}.{}", ATTUNE_VERSION_MAJOR, ATTUNE_VERSION_MINOR, ATTUNE_VERSION_PATCH)},
      {"rounds", context.options.rounds},
      {"calls", context.options.calls},
      {"timings_mean_speed", context.timings_mean_speed},
      {"rows", std::move(list)}};
  if (context.ceiling_tflops > 0) document["ceiling_tflops"] = {context.ceiling_tflops};
  return document;
}

}  // namespace attune

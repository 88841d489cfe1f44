#include "tools/host_cost.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/text_table.h"
#include "cli/units.h"

namespace attune {
namespace {

using nlohmann::json;

Verdict verdict_on(double value, double bound) {
  return value <= bound ? Verdict::holds : Verdict::missed;  // NaN misses
}

// An execute may even seem to cost less than its bare launch, so negative values are printed, too.
std::string value_text(const HostCost& cost) {
  if (cost.verdict == Verdict::skipped) return "";
  if (cost.unit == CostUnit::count) return fmt::format("{:g}", cost.value);
  if (cost.ci_high > cost.ci_low) {
    return microseconds_with_interval(cost.value, cost.ci_low, cost.ci_high) + " µs";
  }
  return cost.value > 0 ? microseconds(cost.value) + " µs" : fmt::format("{:.3f} µs", cost.value * 1e6);
}

std::string bound_text(const HostCost& cost) {
  if (cost.bound < 0) return "";
  return cost.unit == CostUnit::count ? fmt::format("{:g}", cost.bound)
                                      : fmt::format("{:g} µs", cost.bound * 1e6);
}

}  // namespace

HostCost timed_cost(std::string what, const Measurement& samples, double bound, bool judged) {
  HostCost cost{.what = std::move(what), .value = samples.median, .bound = bound};
  if (samples.has_interval()) {
    cost.ci_low = samples.ci_low;
    cost.ci_high = samples.ci_high;
  }
  if (judged && bound >= 0) cost.verdict = verdict_on(cost.value, bound);
  return cost;
}

HostCost counted_cost(std::string what, double count, double bound) {
  return {.what = std::move(what),
          .unit = CostUnit::count,
          .value = count,
          .bound = bound,
          .verdict = verdict_on(count, bound)};
}

HostCost skipped_cost(std::string what, std::string reason) {
  return {.what = std::move(what), .verdict = Verdict::skipped, .note = std::move(reason)};
}

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::holds:
      return "holds";
    case Verdict::missed:
      return "MISSED";
    case Verdict::not_judged:
      return "not judged";
    case Verdict::skipped:
      return "skipped";
  }
  return "?";
}

bool any_missed(const std::vector<HostCost>& costs) {
  return std::any_of(costs.begin(), costs.end(),
                     [](const HostCost& cost) { return cost.verdict == Verdict::missed; });
}

std::string host_cost_text(const std::vector<HostCost>& costs) {
  TextTable table({{"on the host"}, {"measured [95 %]", true}, {"bound", true}, {"verdict"}, {"remark"}});
  for (const HostCost& cost : costs) {
    table.add_row(
        {cost.what, value_text(cost), bound_text(cost), std::string(name_of(cost.verdict)), cost.note});
  }
  return table.text("  ");
}

json host_cost_json(const std::vector<HostCost>& costs) {
  json list = json::array();
  for (const HostCost& cost : costs) {
    const bool measured = cost.verdict != Verdict::skipped;
    json object{{"what", cost.what},
                {"unit", cost.unit == CostUnit::count ? "count" : "seconds"},
                {"value", measured ? json(cost.value) : json()},
                {"bound", cost.bound < 0 ? json() : json(cost.bound)},
                {"verdict", name_of(cost.verdict)},
                {"note", cost.note}};
    if (cost.ci_high > cost.ci_low) object["ci"] = {cost.ci_low, cost.ci_high};
    list.push_back(std::move(object));
  }
  return list;
}

}  // namespace attune

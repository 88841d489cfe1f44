#include "tune/model_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "device/keyed_device.h"
#include "kernels/registry.h"
#include "measure/statistics.h"

namespace attune {
namespace {

// Not less than what it lost to: its own median may be of a faster clock.
double seconds_of(const Record& record) {
  return std::max(record.median_seconds, record.lost_to_seconds);
}

std::string text_of(const Record& record) {
  return fmt::format("{} {}", record.family, record.config);
}

std::optional<ModelCheck> check(const RecordedProblem& recorded) {
  const std::optional<KeyedDevice> device = device_of_key(recorded.device_key);
  if (!device) return std::nullopt;
  const Record& winner = recorded.ranked.front().record;
  ModelCheck result{
      .problem = recorded.problem, .winner = text_of(winner), .winner_seconds = seconds_of(winner)};
  for (const Candidate& candidate : enumerate_candidates(recorded.problem, device->spec, Margin{})) {
    if (!candidate.verdict.fits) break;
    const auto timed = std::ranges::find_if(
        recorded.ranked, [&](const Choice& choice) { return is_of(choice.record, candidate); });
    if (timed == recorded.ranked.end()) {
      ++result.untimed;
      continue;
    }
    result.first = text_of(timed->record);
    result.first_seconds = seconds_of(timed->record);
    return result;
  }
  return std::nullopt;
}

}  // namespace

std::vector<ModelCheck> check_cost_model(const std::vector<RecordedProblem>& recorded) {
  std::vector<ModelCheck> checks;
  for (const RecordedProblem& problem : recorded) {
    if (std::optional<ModelCheck> result = check(problem)) checks.push_back(*std::move(result));
  }
  std::ranges::stable_sort(checks, std::ranges::greater(), &ModelCheck::ratio);
  return checks;
}

double median_ratio(const std::vector<ModelCheck>& checks) {
  std::vector<double> ratios;
  for (const ModelCheck& check : checks)
    ratios.push_back(check.ratio());
  return median_of(std::move(ratios));
}

}  // namespace attune

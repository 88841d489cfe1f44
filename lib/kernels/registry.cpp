#include "kernels/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "kernels/families.h"

namespace attune {

std::span<const Family* const> families() {
  static const Family* const kFamilies[] = {
      &flash_fwd_family(),          &flash_fwd_sm90_family(),    &flash_decode_family(),
      &flash_bwd_delta_family(),    &flash_bwd_dkv_family(),     &flash_bwd_dq_family(),
      &flash_bwd_dkv_sm90_family(), &flash_bwd_dq_sm90_family(), &row_softmax_family()};
  return kFamilies;
}

const Family* find_family(std::string_view name) {
  for (const Family* family : families()) {
    if (family->name() == name) return family;
  }
  return nullptr;
}

std::vector<Candidate> enumerate_candidates(const Problem& problem, const DeviceSpec& device,
                                            const Margin& margin, std::string* why_not) {
  std::vector<Candidate> candidates;
  for (const Family* family : families()) {
    if (const std::string reason = family->inapplicable_reason(problem, device); !reason.empty()) {
      if (why_not) *why_not += fmt::format("{}{} {}", why_not->empty() ? "" : "; ", family->name(), reason);
      continue;
    }
    for (Config& config : family->space(problem, device).enumerate()) {
      Candidate candidate{.family = family, .config = std::move(config)};
      candidate.use = family->resources(problem, candidate.config);
      candidate.verdict = check_budget(candidate.use, device, margin);
      if (candidate.verdict.fits) {
        candidate.predicted_seconds =
            family->predicted_seconds(problem, candidate.config, device, candidate.verdict);
      }
      candidates.push_back(std::move(candidate));
    }
  }
  // Deterministic: two runs, or two ranks, see the same order.
  const auto key = [](const Candidate& c) { return std::make_tuple(!c.verdict.fits, c.predicted_seconds); };
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](const Candidate& a, const Candidate& b) { return key(a) < key(b); });
  return candidates;
}

std::vector<Candidate> require_candidates(const Problem& problem, const DeviceSpec& device,
                                          const Margin& margin) {
  std::string why_not;
  std::vector<Candidate> candidates = enumerate_candidates(problem, device, margin, &why_not);
  if (candidates.empty()) {
    fail(ATTUNE_ERROR_UNSUPPORTED, "no family computes {} on {}: {}", describe(problem), device.name,
         why_not);
  }
  const Candidate& first = candidates.front();
  if (!first.verdict.fits) {
    fail(ATTUNE_ERROR_NO_FEASIBLE_CONFIG, "none of {} configs for {} fits {}; the first: {} {}: {}",
         candidates.size(), describe(problem), device.name, first.family->name(), to_string(first.config),
         first.verdict.reason);
  }
  return candidates;
}

}  // namespace attune

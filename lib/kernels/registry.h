// The registry: every family the library has, in a fixed order.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/family.h"

namespace attune {

std::span<const Family* const> families();

// nullptr when there is none of that name.
const Family* find_family(std::string_view name);

// All configs of all families that apply, within budget or not (verdict says), fitting ones first, by
// predicted time, ties in the order of the config space. Empty when no family applies; then `why_not` (when
// not null) gets each family's reason.
std::vector<Candidate> enumerate_candidates(const Problem& problem, const DeviceSpec& device,
                                            const Margin& margin, std::string* why_not = nullptr);

// The same, at least one of which fits. Throws Error: UNSUPPORTED when no family applies, NO_FEASIBLE_CONFIG
// when none fits.
std::vector<Candidate> require_candidates(const Problem& problem, const DeviceSpec& device,
                                          const Margin& margin);

}  // namespace attune

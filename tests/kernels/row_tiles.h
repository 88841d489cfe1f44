// Kernels of flash_fwd_sm90 by the rows of their tiles.
#pragma once

#include <optional>

#include "kernels/families.h"
#include "support/flash_fwd_checks.h"

namespace attune {

// The model's first choice among tiles of so many rows.
inline std::optional<ForwardKernel> first_of(const Problem& problem, const DeviceSpec& device, int block_m) {
  for (const Candidate& candidate : enumerate_candidates(problem, device, {})) {
    const bool wanted = candidate.family == &flash_fwd_sm90_family() && candidate.verdict.fits &&
                        candidate.config.at("BLOCK_M") == block_m;
    if (wanted) return ForwardKernel{*candidate.family, candidate.config};
  }
  return std::nullopt;
}

}  // namespace attune

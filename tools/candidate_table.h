// Candidates with their budget as text: need, limit, verdict, predicted time.
#pragma once

#include <string>
#include <vector>

#include "kernels/family.h"

namespace attune {

// A line per candidate; limits are after the margin.
std::string candidate_table(const std::vector<Candidate>& candidates);

// "flash_fwd BLOCK_M=128 ...".
std::string name_of(const Candidate& candidate);

}  // namespace attune

// Overlap: one of the expensive checks of ATTUNE_CHECK. An output that shares bytes with another tensor is a
// race.
#pragma once

#include <cstddef>
#include <string>

#include "kernels/family.h"
#include "problem/problem.h"

namespace attune {

// Which tensors share bytes of which one is written, as "o and k overlap: ..."; empty when none do. Exact,
// row by row, so outputs may interleave with inputs. Takes time and memory for every row when the extents
// meet.
//
// `workspace_bytes`: of forward's, where it is given one.
std::string find_overlap(const Problem& capacity, const Arguments& arguments, size_t workspace_bytes = 0);

}  // namespace attune

// The LSE that backward is given, against the q and k it is given: for ATTUNE_CHECK.
#pragma once

#include <string>

#include "backend/backend.h"
#include "base/log.h"
#include "kernels/family.h"
#include "problem/problem.h"

namespace attune {

// Which of a few sampled rows has another LSE than q, k, scale and mask give, as a sentence with the numbers;
// empty when none does. Waits for the stream and copies q and k to the host. Neither is possible while the
// stream is being captured: then nothing is looked at, and the log says so.
std::string find_wrong_lse(const Problem& capacity, const Arguments& arguments, Backend& backend,
                           Stream stream, const Log& log);

}  // namespace attune

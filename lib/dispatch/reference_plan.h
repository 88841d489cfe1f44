// ReferencePlan: a problem that the reference computes, in host memory and at once. It needs no kernel, no
// compiler and no workspace, and there is nothing to tune.
#pragma once

#include <memory>

#include "dispatch/executable.h"

namespace attune {

std::unique_ptr<const Executable> make_reference_plan(const Problem& capacity);

}  // namespace attune

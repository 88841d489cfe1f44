// The gradients of the backward plan against differences of the forward plan, as a user would check them.
#pragma once

#include "attune/attune.h"

namespace attune::capi_test {

// CHECKs that every element of dq, dk and dv, in f64, is within 1e-8 of the largest of a fourth-order
// difference.
void check_differences(attune_context_t context, attune_mask mask);

}  // namespace attune::capi_test

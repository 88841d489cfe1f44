// The yardstick of "Correct means": attention as written down, in the precision a plain kernel would use.
#pragma once

#include "reference/attention.h"

namespace attune {

// S and softmax in float, unnormalised P rounded to the dtype of the inputs, PV accumulated in float, O
// rounded once to that dtype at the end (so every o is a value of it). No logit_magnitude. Semantics as
// reference_attention.
AttentionResult naive_attention(const AttentionInputs& inputs);

}  // namespace attune

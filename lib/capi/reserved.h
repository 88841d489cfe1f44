// Reserved fields: named from the first version on, refused until a later one gives them a meaning.
#pragma once

#include "attune/attune.h"
#include "problem/problem.h"

namespace attune {

// Throws Error (UNSUPPORTED) naming the first reserved field that is not as ATTUNE_ATTENTION_ARGS_INIT leaves
// it, or (INVALID_ARGUMENT) a tensor of backward that a forward plan is given.
void check_reserved(const attune_attention_args& args, Operation operation);

}  // namespace attune

// Reserved fields: named from the first version on, refused until a later one gives them a meaning.
#pragma once

#include "attune/attune.h"

namespace attune {

// Throws Error (UNSUPPORTED) naming the first field that is not as ATTUNE_ATTENTION_ARGS_INIT leaves it.
void check_reserved(const attune_attention_args& args);

}  // namespace attune

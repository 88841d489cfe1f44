// Elements of a tensor's dtype in memory, to and from double.
#pragma once

#include "problem/dtype.h"

namespace attune {

double load_element(DType dtype, const void* element);

// Rounds once, to nearest even.
void store_element(DType dtype, void* element, double value);

// The nearest value of `dtype`, ties to even.
double round_to(DType dtype, double value);

// The distance of neighbouring values of `dtype` around |value|; the smallest subnormal near zero.
double ulp_at(DType dtype, double value);

}  // namespace attune

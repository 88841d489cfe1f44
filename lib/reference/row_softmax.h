// The reference of the family row_softmax: y[b, h, i, :] = softmax(x[b, h, i, :]), f32.
#pragma once

#include <vector>

#include "reference/compare.h"
#include "reference/tensor.h"

namespace attune {

// In double, [batch, head, row, column] contiguous.
std::vector<double> reference_row_softmax(const HostTensor& x);

// |y - ref| <= 1e-6 + 1e-5·ref for every element; NaN never passes.
Comparison compare_row_softmax(const HostTensor& y, const std::vector<double>& reference);

}  // namespace attune

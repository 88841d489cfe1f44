// Rows of the [batch, head, row, column] tensors of a launch, and the numbers that kernels calculate with.
#pragma once

#include "attention/flash_tensor.h"
#include "isa/isa.cuh"

namespace attune {

// Of scores, statistics and sums: double for double, else float.
template <typename T>
struct RealOfElement {
  using Type = float;
};
template <>
struct RealOfElement<double> {
  using Type = double;
};
template <typename T>
using RealOf = typename RealOfElement<T>::Type;

// Element 0 of row `row` of a head.
template <typename T>
ATTUNE_FN Global<const T> row_of(const FlashTensor& tensor, int batch, int head, int row) {
  return Global<const T>(static_cast<const T*>(tensor.data)) +
         (batch * tensor.batch_stride + head * tensor.head_stride + row * tensor.row_stride);
}
// The same of a tensor that is written.
template <typename T>
ATTUNE_FN Global<T> output_row_of(const FlashTensor& tensor, int batch, int head, int row) {
  return Global<T>(static_cast<T*>(tensor.data)) +
         (batch * tensor.batch_stride + head * tensor.head_stride + row * tensor.row_stride);
}

// Whether every row of the launch's tensor number `tensor` starts on a boundary of 16 bytes.
template <typename Params>
ATTUNE_FN bool is_aligned(const Params& params, int tensor) {
  return (params.aligned >> tensor & 1u) != 0;
}

// The scale of the scores, and scale · log2(e).
template <typename Real, typename Params>
ATTUNE_FN Real scale_of(const Params& params) {
  return sizeof(Real) == 8 ? static_cast<Real>(params.scale_f64) : static_cast<Real>(params.scale);
}
template <typename Real, typename Params>
ATTUNE_FN Real scale_log2_of(const Params& params) {
  return sizeof(Real) == 8 ? static_cast<Real>(params.scale_log2_f64) : static_cast<Real>(params.scale_log2);
}

// Element `index` of 16 bytes.
template <typename T>
ATTUNE_FN T element_of(const Bytes16& bytes, int index) {
  struct alignas(16) Elements {
    T value[16 / sizeof(T)];
  };
  return reinterpret_cast<const Elements&>(bytes).value[index];
}

}  // namespace attune

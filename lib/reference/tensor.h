// HostTensor: a [batch, heads, rows, columns] tensor in host memory, with any strides, optionally fenced by
// NaNs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/family.h"
#include "problem/dtype.h"
#include "problem/problem.h"

namespace attune {

// Elements left between rows, heads and batches, and before and after all of them. They hold NaN.
struct TensorPadding {
  int64_t row_gap = 0;
  int64_t head_gap = 0;
  int64_t batch_gap = 0;
  int64_t margin = 0;

  // For tests: gaps everywhere, each a multiple of 16 bytes, so that rows are as aligned as they are without
  // gaps.
  static TensorPadding fenced(DType dtype);
  // For tests: gaps of odd numbers of elements, so that rows start anywhere.
  static TensorPadding unaligned() { return {1, 3, 5, 33}; }
};

class HostTensor {
 public:
  using Dims = std::array<int64_t, 4>;  // batch, heads, rows, columns
  using Strides = std::array<int64_t, 4>;

  HostTensor() = default;
  // Columns are contiguous; `layout` (bhsd or bshd) orders heads and rows. Elements are 0 without padding;
  // with padding everything is NaN until it is set, so that an output starts poisoned.
  HostTensor(DType dtype, const Dims& dims, Layout layout = Layout::bhsd, const TensorPadding& padding = {});
  // Any strides >= 0, in elements; 0 broadcasts. Starts poisoned.
  HostTensor(DType dtype, const Dims& dims, const Strides& strides, int64_t margin);

  DType dtype() const { return dtype_; }
  const Dims& dims() const { return dims_; }
  const Strides& strides() const { return strides_; }
  int64_t batch() const { return dims_[0]; }
  int64_t heads() const { return dims_[1]; }
  int64_t rows() const { return dims_[2]; }
  int64_t columns() const { return dims_[3]; }
  int64_t element_count() const { return dims_[0] * dims_[1] * dims_[2] * dims_[3]; }

  double at(int64_t batch, int64_t head, int64_t row, int64_t column) const;
  void set(int64_t batch, int64_t head, int64_t row, int64_t column,
           double value);  // rounds once, to nearest even
  // One row, converted. `values` has columns() elements.
  void read_row(int64_t batch, int64_t head, int64_t row, double* values) const;
  void read_row(int64_t batch, int64_t head, int64_t row, long double* values) const;
  void read_row(int64_t batch, int64_t head, int64_t row, float* values) const;  // exact but for f64
  // All elements, [batch, head, row, column] contiguous.
  std::vector<double> to_doubles() const;
  void from_doubles(std::span<const double> values);

  // Normal numbers. A value depends on seed and indices only, so the same tensor in another layout has the
  // same values.
  void fill_random(uint64_t seed, double mean = 0, double deviation = 1);
  void fill(double value);
  // NaN in every byte, margins and gaps too.
  void poison();
  // False when a byte outside the elements is no longer as poison left it.
  bool margins_intact() const;

  // All bytes, margins included, for copies to and from a device; the first element lies at offset_bytes().
  // A multiple of 256 bytes and aligned to as much; so is the first element when the margin is.
  std::span<std::byte> storage() { return std::as_writable_bytes(std::span(blocks_)); }
  std::span<const std::byte> storage() const { return std::as_bytes(std::span(blocks_)); }
  int64_t offset_bytes() const { return margin_ * element_bytes(); }
  // Address of the first element, here or in a copy of storage() that starts at `storage_copy`.
  TensorView view() { return view(blocks_.data()); }
  TensorView view(void* storage_copy) const;

 private:
  struct alignas(256) Block {
    std::byte bytes[256];
  };

  void allocate();
  int64_t element_bytes() const { return static_cast<int64_t>(size_of(dtype_)); }
  int64_t offset_of(int64_t batch, int64_t head, int64_t row,
                    int64_t column) const;  // bytes into the storage
  bool broadcasts() const;
  template <typename Body>
  void for_each_row(bool writes, const Body& body) const;
  template <typename Real>
  void convert_row(int64_t batch, int64_t head, int64_t row, Real* values) const;

  DType dtype_ = DType::f32;
  Dims dims_{};
  Strides strides_{};
  int64_t margin_ = 0;
  std::vector<Block> blocks_;
};

}  // namespace attune

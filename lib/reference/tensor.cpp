#include "reference/tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "base/error.h"
#include "base/parallel.h"
#include "reference/element.h"

namespace attune {
namespace {

constexpr std::byte kPoison{0xff};  // all ones is a NaN in every dtype, and not the one that GPUs write

// A good 64-bit mix (splitmix64): neighbouring inputs give unrelated outputs.
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// In (0, 1): never 0, whose logarithm is infinite.
double uniform(uint64_t bits) {
  return (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53;
}

// Box-Muller; not <random>, whose distributions differ between standard libraries.
double normal(uint64_t seed, uint64_t index) {
  const uint64_t first = mix(mix(seed) ^ index);
  const double radius = std::sqrt(-2 * std::log(uniform(first)));
  return radius * std::cos(2 * std::numbers::pi * uniform(mix(first)));
}

HostTensor::Strides strides_of(const HostTensor::Dims& dims, Layout layout, const TensorPadding& padding) {
  if (layout == Layout::strided) fail(ATTUNE_ERROR_INTERNAL, "a strided tensor needs its strides");
  const bool heads_outside = layout == Layout::bhsd;
  const int64_t inner = dims[3] + padding.row_gap;
  const int64_t outer = inner * (heads_outside ? dims[2] : dims[1]) + padding.head_gap;
  const int64_t batch = outer * (heads_outside ? dims[1] : dims[2]) + padding.batch_gap;
  return {batch, heads_outside ? outer : inner, heads_outside ? inner : outer, 1};
}

}  // namespace

TensorPadding TensorPadding::fenced(DType dtype) {
  const int64_t vector = 16 / static_cast<int64_t>(size_of(dtype));
  return {vector, 3 * vector, 5 * vector, 32 * vector};
}

HostTensor::HostTensor(DType dtype, const Dims& dims, Layout layout, const TensorPadding& padding)
    : HostTensor(dtype, dims, strides_of(dims, layout, padding), padding.margin) {
  const bool padded = padding.row_gap || padding.head_gap || padding.batch_gap || padding.margin;
  if (!padded) fill(0);
}

HostTensor::HostTensor(DType dtype, const Dims& dims, const Strides& strides, int64_t margin)
    : dtype_(dtype), dims_(dims), strides_(strides), margin_(margin) {
  for (size_t i = 0; i < 4; ++i) {
    if (dims[i] < 0 || strides[i] < 0) fail(ATTUNE_ERROR_INTERNAL, "tensor: dims and strides must be >= 0");
  }
  allocate();
  poison();
}

void HostTensor::allocate() {
  int64_t extent = element_count() == 0 ? 0 : 1;
  for (size_t i = 0; i < 4 && extent > 0; ++i)
    extent += (dims_[i] - 1) * strides_[i];
  const size_t bytes = static_cast<size_t>((extent + 2 * margin_) * element_bytes());
  blocks_.resize(std::max<size_t>(1, (bytes + sizeof(Block) - 1) / sizeof(Block)));
}

bool HostTensor::broadcasts() const {
  for (size_t i = 0; i < 4; ++i) {
    if (dims_[i] > 1 && strides_[i] == 0) return true;
  }
  return false;
}

// Threads may not write the same element, so a broadcast tensor is written in order.
template <typename Body>
void HostTensor::for_each_row(bool writes, const Body& body) const {
  const auto rows = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      body(i / dims_[2] / dims_[1], i / dims_[2] % dims_[1], i % dims_[2], i);
  };
  const int64_t count = dims_[0] * dims_[1] * dims_[2];
  if (writes && broadcasts()) return rows(0, count);
  parallel_for(count, rows);
}

int64_t HostTensor::offset_of(int64_t batch, int64_t head, int64_t row, int64_t column) const {
  const int64_t element = batch * strides_[0] + head * strides_[1] + row * strides_[2] + column * strides_[3];
  return (margin_ + element) * element_bytes();
}

double HostTensor::at(int64_t batch, int64_t head, int64_t row, int64_t column) const {
  return load_element(dtype_, storage().data() + offset_of(batch, head, row, column));
}

void HostTensor::set(int64_t batch, int64_t head, int64_t row, int64_t column, double value) {
  store_element(dtype_, storage().data() + offset_of(batch, head, row, column), value);
}

template <typename Real>
void HostTensor::convert_row(int64_t batch, int64_t head, int64_t row, Real* values) const {
  const std::byte* element = storage().data() + offset_of(batch, head, row, 0);
  const int64_t step = strides_[3] * element_bytes();
  for (int64_t column = 0; column < dims_[3]; ++column, element += step) {
    values[column] = static_cast<Real>(load_element(dtype_, element));
  }
}

void HostTensor::read_row(int64_t batch, int64_t head, int64_t row, double* values) const {
  convert_row(batch, head, row, values);
}

void HostTensor::read_row(int64_t batch, int64_t head, int64_t row, long double* values) const {
  convert_row(batch, head, row, values);
}

void HostTensor::read_row(int64_t batch, int64_t head, int64_t row, float* values) const {
  convert_row(batch, head, row, values);
}

std::vector<double> HostTensor::to_doubles() const {
  std::vector<double> values(static_cast<size_t>(element_count()));
  for_each_row(false, [&](int64_t batch, int64_t head, int64_t row, int64_t index) {
    read_row(batch, head, row, values.data() + index * dims_[3]);
  });
  return values;
}

void HostTensor::from_doubles(std::span<const double> values) {
  if (std::ssize(values) != element_count()) {
    fail(ATTUNE_ERROR_INTERNAL, "tensor: {} values for {} elements", values.size(), element_count());
  }
  for_each_row(true, [&](int64_t batch, int64_t head, int64_t row, int64_t index) {
    for (int64_t column = 0; column < dims_[3]; ++column) {
      set(batch, head, row, column, values[static_cast<size_t>(index * dims_[3] + column)]);
    }
  });
}

void HostTensor::fill_random(uint64_t seed, double mean, double deviation) {
  for_each_row(true, [&](int64_t batch, int64_t head, int64_t row, int64_t index) {
    for (int64_t column = 0; column < dims_[3]; ++column) {
      const auto position = static_cast<uint64_t>(index * dims_[3] + column);
      set(batch, head, row, column, mean + deviation * normal(seed, position));
    }
  });
}

void HostTensor::fill(double value) {
  for_each_row(true, [&](int64_t batch, int64_t head, int64_t row, int64_t) {
    for (int64_t column = 0; column < dims_[3]; ++column)
      set(batch, head, row, column, value);
  });
}

void HostTensor::poison() {
  std::memset(storage().data(), static_cast<int>(kPoison), storage().size());
}

bool HostTensor::margins_intact() const {
  std::vector<bool> inside(storage().size());
  for (int64_t batch = 0; batch < dims_[0]; ++batch) {
    for (int64_t head = 0; head < dims_[1]; ++head) {
      for (int64_t row = 0; row < dims_[2]; ++row) {
        for (int64_t column = 0; column < dims_[3]; ++column) {
          const int64_t offset = offset_of(batch, head, row, column);
          for (int64_t i = 0; i < element_bytes(); ++i)
            inside[static_cast<size_t>(offset + i)] = true;
        }
      }
    }
  }
  const std::span<const std::byte> bytes = storage();
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (!inside[i] && bytes[i] != kPoison) return false;
  }
  return true;
}

TensorView HostTensor::view(void* storage_copy) const {
  return {static_cast<std::byte*>(storage_copy) + offset_bytes(), strides_};
}

}  // namespace attune

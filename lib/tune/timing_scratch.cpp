#include "tune/timing_scratch.h"

#include <algorithm>
#include <vector>

#include "reference/tensor.h"

namespace attune {
namespace {

struct Shape {
  int64_t heads, rows, columns;
};

// What q, k, v and o are to this problem; row_softmax reads q and writes o.
std::array<Shape, 4> shapes(const Problem& problem) {
  if (problem.operation == Operation::row_softmax) {
    const Shape matrix{problem.heads_q, problem.seqlen_q, problem.seqlen_kv};
    return {matrix, Shape{}, Shape{}, matrix};
  }
  return {Shape{problem.heads_q, problem.seqlen_q, problem.head_dim},
          Shape{problem.heads_kv, problem.seqlen_kv, problem.head_dim},
          Shape{problem.heads_kv, problem.seqlen_kv, problem.head_dim_v},
          Shape{problem.heads_q, problem.seqlen_q, problem.head_dim_v}};
}

int64_t bytes_of(const Problem& problem, const Shape& shape) {
  return problem.batch * shape.heads * shape.rows * shape.columns *
         static_cast<int64_t>(size_of(problem.dtype));
}

int64_t lse_bytes(const Problem& problem) {
  return problem.batch * problem.heads_q * problem.seqlen_q *
         static_cast<int64_t>(size_of(statistics_dtype(problem.dtype)));
}

std::array<int64_t, 4> strides(Layout layout, const Shape& shape) {
  if (layout == Layout::bshd) {
    return {shape.rows * shape.heads * shape.columns, shape.columns, shape.heads * shape.columns, 1};
  }
  return {shape.heads * shape.rows * shape.columns, shape.rows * shape.columns, shape.columns, 1};
}

// A pool of random elements, repeated over the tensor with a period that no tile size divides.
void fill_with_noise(Backend& backend, void* destination, int64_t bytes, DType dtype) {
  constexpr int64_t kPeriod = 1'000'003;
  HostTensor pool(dtype, {1, 1, 1, kPeriod});
  pool.fill_random(1);
  const auto pool_bytes = static_cast<int64_t>(kPeriod * size_of(dtype));
  std::vector<std::byte> host(static_cast<size_t>(bytes));
  for (int64_t offset = 0; offset < bytes; offset += pool_bytes) {
    std::copy_n(pool.storage().begin() + pool.offset_bytes(), std::min(pool_bytes, bytes - offset),
                host.begin() + offset);
  }
  backend.copy(destination, host.data(), host.size());
}

}  // namespace

int64_t TimingScratch::bytes(const Problem& problem) {
  int64_t total = lse_bytes(problem);
  for (const Shape& shape : shapes(problem)) {
    // Four of the largest tensors there may be are more than 2^63 bytes.
    if (__builtin_add_overflow(total, bytes_of(problem, shape), &total)) return INT64_MAX;
  }
  return total;
}

TimingScratch::TimingScratch(Backend& backend, const Problem& problem) {
  const std::array<Shape, 4> tensors = shapes(problem);
  const std::array<TensorView*, 4> views = {&arguments_.q, &arguments_.k, &arguments_.v, &arguments_.o};
  for (size_t i = 0; i < tensors.size(); ++i) {
    const int64_t bytes = bytes_of(problem, tensors[i]);
    buffers_[i] = DeviceBuffer(backend, static_cast<size_t>(bytes));
    *views[i] = {buffers_[i].data(), strides(problem.layout, tensors[i])};
    const bool is_output = i == 3;
    if (bytes > 0 && !is_output) fill_with_noise(backend, buffers_[i].data(), bytes, problem.dtype);
  }
  buffers_[4] = DeviceBuffer(backend, static_cast<size_t>(lse_bytes(problem)));
  arguments_.lse = buffers_[4].data();
  arguments_.batch = problem.batch;
  arguments_.seqlen_q = problem.seqlen_q;
  arguments_.seqlen_kv = problem.seqlen_kv;
  arguments_.scale = default_scale(problem.head_dim, problem.dtype);
}

}  // namespace attune

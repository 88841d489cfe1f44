#include "tune/timing_scratch.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "attention/row_terms.layout.h"
#include "measure/timer.h"
#include "problem/stages.h"
#include "reference/tensor.h"

namespace attune {
namespace {

struct Shape {
  int64_t heads, rows, columns;
};

// A tensor of the problem, and what it is called in the arguments.
struct Place {
  Shape shape;
  TensorView Arguments::*tensor = nullptr;
  TensorView GradientArguments::*gradient = nullptr;
  bool is_output = false;
};

std::vector<Place> places_of_backward(const Problem& problem) {
  const Shape q{problem.heads_q, problem.seqlen_q, problem.head_dim}, o{q.heads, q.rows, problem.head_dim_v};
  const Shape k{problem.heads_kv, problem.seqlen_kv, problem.head_dim},
      v{k.heads, k.rows, problem.head_dim_v};
  const Place dout{o, nullptr, &GradientArguments::dout};
  if (problem.operation == Operation::backward_delta) return {{o, &Arguments::o}, dout};
  std::vector<Place> places{{q, &Arguments::q}, {k, &Arguments::k}, {v, &Arguments::v}, dout};
  if (problem.operation == Operation::backward_dq) {
    places.push_back({q, nullptr, &GradientArguments::dq, true});
  } else {
    places.push_back({k, nullptr, &GradientArguments::dk, true});
    places.push_back({v, nullptr, &GradientArguments::dv, true});
  }
  return places;
}

// What the problem's kernel reads and writes; row_softmax reads q and writes o.
std::vector<Place> places_of(const Problem& problem) {
  if (problem.operation == Operation::row_softmax) {
    const Shape matrix{problem.heads_q, problem.seqlen_q, problem.seqlen_kv};
    return {{matrix, &Arguments::q}, {matrix, &Arguments::o, nullptr, true}};
  }
  if (is_stage_of_backward(problem.operation)) return places_of_backward(problem);
  return {{{problem.heads_q, problem.seqlen_q, problem.head_dim}, &Arguments::q},
          {{problem.heads_kv, problem.seqlen_kv, problem.head_dim}, &Arguments::k},
          {{problem.heads_kv, problem.seqlen_kv, problem.head_dim_v}, &Arguments::v},
          {{problem.heads_q, problem.seqlen_q, problem.head_dim_v}, &Arguments::o, nullptr, true}};
}

int64_t bytes_of(const Problem& problem, const Shape& shape) {
  return problem.batch * shape.heads * shape.rows * shape.columns *
         static_cast<int64_t>(size_of(problem.dtype));
}

int64_t lse_bytes(const Problem& problem) {
  return problem.batch * problem.heads_q * problem.seqlen_q *
         static_cast<int64_t>(size_of(statistics_dtype(problem.dtype)));
}

int64_t row_terms_bytes(const Problem& problem) {
  if (!is_stage_of_backward(problem.operation)) return 0;
  return RowTermsLayout::bytes(problem.batch * problem.heads_q, problem.seqlen_q,
                               static_cast<int>(size_of(statistics_dtype(problem.dtype))));
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

// Statistics such as these inputs would have, the same for every row: LSEs a few units above log(Nk), so that
// probabilities are neither all zero nor infinite.
template <typename Real>
void fill_with_rows(Backend& backend, void* destination, int64_t bytes, std::vector<Real> row) {
  std::vector<Real> host;
  while (std::ssize(host) * static_cast<int64_t>(sizeof(Real)) < bytes)
    host.insert(host.end(), row.begin(), row.end());
  if (bytes > 0) backend.copy(destination, host.data(), static_cast<size_t>(bytes));
}

void fill_with_rows(Backend& backend, void* destination, int64_t bytes, DType dtype,
                    const std::vector<double>& row) {
  if (dtype == DType::f64) return fill_with_rows<double>(backend, destination, bytes, row);
  fill_with_rows<float>(backend, destination, bytes, std::vector<float>(row.begin(), row.end()));
}

}  // namespace

int64_t TimingScratch::bytes(const Problem& problem) {
  int64_t total = lse_bytes(problem) + row_terms_bytes(problem);
  for (const Place& place : places_of(problem)) {
    // A few of the largest tensors there may be are more than 2^63 bytes.
    if (__builtin_add_overflow(total, bytes_of(problem, place.shape), &total)) return INT64_MAX;
  }
  return total;
}

TimingScratch::TimingScratch(Backend& backend, const Problem& problem) {
  const auto allocate = [&](int64_t bytes) {
    buffers_.emplace_back(backend, static_cast<size_t>(bytes));
    return buffers_.back().data();
  };
  for (const Place& place : places_of(problem)) {
    const int64_t bytes = bytes_of(problem, place.shape);
    TensorView& view = place.tensor ? arguments_.*place.tensor : gradients_.*place.gradient;
    view = {allocate(bytes), strides(problem.layout, place.shape)};
    if (bytes > 0 && !place.is_output) fill_with_noise(backend, view.data, bytes, problem.dtype);
  }
  arguments_.lse = allocate(lse_bytes(problem));
  if (is_stage_of_backward(problem.operation)) {
    const double lse = std::log(static_cast<double>(std::max<int64_t>(1, problem.seqlen_kv))) + 0.5;
    const DType statistics = statistics_dtype(problem.dtype);
    fill_with_rows(backend, arguments_.lse, lse_bytes(problem), statistics, {lse});
    gradients_.row_terms = allocate(row_terms_bytes(problem));
    fill_with_rows(backend, gradients_.row_terms, row_terms_bytes(problem), statistics,
                   {lse / std::log(2.0), 0});
    arguments_.gradients = &gradients_;
  }
  arguments_.batch = problem.batch;
  arguments_.seqlen_q = problem.seqlen_q;
  arguments_.seqlen_kv = problem.seqlen_kv;
  arguments_.scale = default_scale(problem.head_dim, problem.dtype);
}

double replayed_below(const Backend& backend, const Problem& problem) {
  const bool stays_in_l2 = TimingScratch::bytes(problem) <= backend.device().l2_bytes / 2;
  return stays_in_l2 && backend.can_replay() ? kReplayedBelow : 0;
}

}  // namespace attune

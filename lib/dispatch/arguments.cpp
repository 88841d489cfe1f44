#include <cmath>
#include <cstdint>

#include "base/error.h"
#include "dispatch/plan.h"

namespace attune {
namespace {

constexpr int64_t kMaxExtent = int64_t{1}
                               << 59;  // elements of a tensor, gaps included, so that bytes fit in 63 bits

struct TensorRole {
  const char* name;
  const attune_tensor* tensor;
  int64_t batch, heads, rows, columns;
};

int64_t resolve_length(const char* name, int64_t given, int64_t capacity) {
  if (given == ATTUNE_SAME_AS_PLAN) return capacity;
  if (given < 0) fail(ATTUNE_ERROR_INVALID_ARGUMENT, "{} = {} is negative", name, given);
  if (given > capacity)
    fail(ATTUNE_ERROR_CAPACITY, "{} = {} is more than the plan's capacity of {}", name, given, capacity);
  return given;
}

std::array<int64_t, 4> dense_strides(Layout layout, const TensorRole& role) {
  if (layout == Layout::bshd) {
    return {role.rows * role.heads * role.columns, role.columns, role.heads * role.columns, 1};
  }
  return {role.heads * role.rows * role.columns, role.rows * role.columns, role.columns, 1};
}

void check_given_strides(const TensorRole& role) {
  constexpr const char* kAxes[] = {"batch", "head", "row"};
  const int64_t counts[] = {role.batch, role.heads, role.rows};
  int64_t extent = role.columns;  // elements from the first to behind the last
  for (int axis = 0; axis < 3; ++axis) {
    if (counts[axis] <= 1) continue;  // never stepped over
    const int64_t stride = role.tensor->stride[axis];
    if (stride < 0)
      fail(ATTUNE_ERROR_INVALID_ARGUMENT, "{}: {} stride = {} is negative", role.name, kAxes[axis], stride);
    int64_t span = 0;
    if (__builtin_mul_overflow(stride, counts[axis] - 1, &span) ||
        __builtin_add_overflow(extent, span, &extent) || extent > kMaxExtent) {
      fail(ATTUNE_ERROR_INVALID_ARGUMENT,
           "{}: {} stride = {} over {} elements exceeds the address range (2^59 elements)", role.name,
           kAxes[axis], stride, counts[axis]);
    }
  }
  if (role.tensor->stride[3] != 1) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "{}: column stride = {} is not 1", role.name, role.tensor->stride[3]);
  }
}

// Kernels take rows that start anywhere, but elements lie whole.
void check_alignment(const char* name, const void* data, DType dtype) {
  const auto address = reinterpret_cast<uintptr_t>(data);
  if (address % size_of(dtype) != 0) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "{} = {:#x} is not aligned to {} bytes, the size of an element of {}",
         name, address, size_of(dtype), name_of(dtype));
  }
}

TensorView resolve_tensor(const Problem& capacity, const TensorRole& role) {
  const bool empty = role.rows == 0;
  if (!role.tensor->data && !empty) fail(ATTUNE_ERROR_INVALID_ARGUMENT, "{}.data is NULL", role.name);
  check_alignment(role.name, role.tensor->data, capacity.dtype);
  TensorView view{.data = role.tensor->data};
  if (capacity.layout == Layout::strided) {
    check_given_strides(role);
    // An axis of one element may come with any stride at all; nobody is to multiply with it.
    const int64_t counts[] = {role.batch, role.heads, role.rows};
    for (size_t axis = 0; axis < 3; ++axis)
      view.stride[axis] = counts[axis] > 1 ? role.tensor->stride[axis] : 0;
    view.stride[3] = 1;
  } else {
    view.stride = dense_strides(capacity.layout, role);
  }
  return view;
}

// Two rows, heads or sequences must not share an output.
TensorView resolve_output(const Problem& capacity, const TensorRole& role) {
  const TensorView view = resolve_tensor(capacity, role);
  const int64_t counts[] = {role.batch, role.heads, role.rows};
  for (size_t axis = 0; axis < 3; ++axis) {
    if (counts[axis] > 1 && view.stride[axis] == 0) {
      fail(ATTUNE_ERROR_INVALID_ARGUMENT,
           "{}: stride {} is 0 over {} elements, but an output cannot broadcast", role.name, axis,
           counts[axis]);
    }
  }
  return view;
}

// NULL: not wanted.
TensorView resolve_gradient(const Problem& capacity, const TensorRole& role) {
  return role.tensor->data ? resolve_output(capacity, role) : TensorView{};
}

double resolve_scale(const Problem& capacity, double scale) {
  if (scale == 0) return default_scale(capacity.head_dim, capacity.dtype);
  // Kernels multiply with scale · log2(e) in f32.
  const auto factor = static_cast<float>(static_cast<double>(static_cast<float>(scale)) * 1.4426950408889634);
  if (!std::isnormal(static_cast<float>(scale)) || !std::isnormal(factor)) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "scale = {} is not a normal number in f32", scale);
  }
  if (scale < 0) fail(ATTUNE_ERROR_UNSUPPORTED, "scale = {}: a negative scale is not supported", scale);
  return capacity.dtype == DType::f64 ? scale : static_cast<double>(static_cast<float>(scale));
}

}  // namespace

Arguments resolve_arguments(const Problem& capacity, const attune_attention_args& args) {
  Arguments arguments{.lse = args.lse,
                      .batch = resolve_length("batch", args.batch, capacity.batch),
                      .seqlen_q = resolve_length("seqlen_q", args.seqlen_q, capacity.seqlen_q),
                      .seqlen_kv = resolve_length("seqlen_kv", args.seqlen_kv, capacity.seqlen_kv),
                      .scale = resolve_scale(capacity, args.scale)};
  if (arguments.batch == 0 || arguments.seqlen_q == 0) return arguments;  // nothing is read or written
  const int64_t batch = arguments.batch, nq = arguments.seqlen_q, nk = arguments.seqlen_kv;
  arguments.q = resolve_tensor(capacity, {"q", &args.q, batch, capacity.heads_q, nq, capacity.head_dim});
  arguments.k = resolve_tensor(capacity, {"k", &args.k, batch, capacity.heads_kv, nk, capacity.head_dim});
  arguments.v = resolve_tensor(capacity, {"v", &args.v, batch, capacity.heads_kv, nk, capacity.head_dim_v});
  arguments.o = resolve_output(capacity, {"o", &args.o, batch, capacity.heads_q, nq, capacity.head_dim_v});
  check_alignment("lse", args.lse, statistics_dtype(capacity.dtype));
  return arguments;
}

Arguments resolve_backward_arguments(const Problem& capacity, const attune_attention_args& args,
                                     void* workspace, GradientArguments& gradients) {
  Arguments arguments{.lse = args.lse,
                      .gradients = &gradients,
                      .batch = resolve_length("batch", args.batch, capacity.batch),
                      .seqlen_q = resolve_length("seqlen_q", args.seqlen_q, capacity.seqlen_q),
                      .seqlen_kv = resolve_length("seqlen_kv", args.seqlen_kv, capacity.seqlen_kv),
                      .scale = resolve_scale(capacity, args.scale)};
  if (arguments.batch == 0) return arguments;  // nothing is read or written
  const int64_t batch = arguments.batch, nq = arguments.seqlen_q, nk = arguments.seqlen_kv;
  const int64_t heads_q = capacity.heads_q, heads_kv = capacity.heads_kv;
  const int64_t d = capacity.head_dim, dv = capacity.head_dim_v;
  if (!args.dq.data && !args.dk.data && !args.dv.data && (nq > 0 || nk > 0))
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "dq, dk and dv are all NULL: there is nothing to compute");
  arguments.q = resolve_tensor(capacity, {"q", &args.q, batch, heads_q, nq, d});
  arguments.k = resolve_tensor(capacity, {"k", &args.k, batch, heads_kv, nk, d});
  arguments.v = resolve_tensor(capacity, {"v", &args.v, batch, heads_kv, nk, dv});
  arguments.o = resolve_tensor(capacity, {"o", &args.o, batch, heads_q, nq, dv});
  gradients.dout = resolve_tensor(capacity, {"dout", &args.dout, batch, heads_q, nq, dv});
  if (!args.lse && nq > 0)
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "lse is NULL, but backward needs what forward wrote there");
  check_alignment("lse", args.lse, statistics_dtype(capacity.dtype));
  check_alignment("dlse", args.dlse, statistics_dtype(capacity.dtype));
  gradients.dq = resolve_gradient(capacity, {"dq", &args.dq, batch, heads_q, nq, d});
  gradients.dk = resolve_gradient(capacity, {"dk", &args.dk, batch, heads_kv, nk, d});
  gradients.dv = resolve_gradient(capacity, {"dv", &args.dv, batch, heads_kv, nk, dv});
  gradients.dlse = args.dlse;
  gradients.row_terms = workspace;
  return arguments;
}

}  // namespace attune

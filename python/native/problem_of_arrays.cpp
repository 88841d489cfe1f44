#include "problem_of_arrays.h"

#include "errors.h"

namespace attune_python {
namespace {

std::string number(int64_t value) {
  return std::to_string(value);
}

bool is_cpu(dlpack::Device device) {
  return device.type == dlpack::kCpu || device.type == dlpack::kCudaHost;
}

bool is_same(dlpack::Device a, dlpack::Device b) {
  return is_cpu(a) ? is_cpu(b) : a.type == b.type && a.id == b.id;
}

}  // namespace

Problem::Problem(attune_operation operation, const CallOptions& options, dlpack::Device device)
    : options_(options),
      device_(device),
      key_{.operation = operation, .mask = options.mask, .flags = options.flags} {
  args_ = ATTUNE_ATTENTION_ARGS_INIT;
  args_.scale = options.scale;
}

Problem::Shape Problem::shape_of(const ArrayView& view) const {
  if (view.ndim != 4) {
    raise_invalid(std::string(view.name) + " has shape " + view.shape_text() + "; it is to be " +
                  (options_.bshd ? "(batch, sequence, head, dim)" : "(batch, head, sequence, dim)"));
  }
  const auto& n = view.shape;
  return options_.bshd ? Shape{n[0], n[2], n[1], n[3]} : Shape{n[0], n[1], n[2], n[3]};
}

std::string Problem::text_of(const Shape& shape) const {
  const std::string middle = options_.bshd ? number(shape.rows) + ", " + number(shape.heads)
                                           : number(shape.heads) + ", " + number(shape.rows);
  return "(" + number(shape.batch) + ", " + middle + ", " + number(shape.columns) + ")";
}

attune_tensor Problem::tensor_of(const ArrayView& view, const Shape& shape) const {
  const auto& s = view.stride;
  // Where nothing is stepped over there is no stride to speak of, and libraries say anything there.
  const bool is_empty = shape.batch == 0 || shape.heads == 0 || shape.rows == 0;
  const int64_t column = shape.columns > 1 && !is_empty ? s[3] : 1;
  return {view.data, {s[0], options_.bshd ? s[2] : s[1], options_.bshd ? s[1] : s[2], column}};
}

void Problem::require_place(const ArrayView& view, bool is_output) const {
  if (!is_same(view.device, device_)) {
    const ArrayView here{.device = device_};
    raise_invalid(std::string(view.name) + " lies on " + view.device_name() + ", and this call is on " +
                  here.device_name() + ": all arrays are to be on one device");
  }
  if (is_output && view.read_only)
    raise_invalid(std::string(view.name) + " is read-only, and is to be written");
}

void Problem::set_inputs(const ArrayView& q, const ArrayView& k, const ArrayView& v) {
  for (const ArrayView* view : {&q, &k, &v})
    require_place(*view, false);
  q_ = q;
  key_.dtype = library_dtype(q);
  const Shape of_q = shape_of(q), of_k = shape_of(k), of_v = shape_of(v);
  key_.heads_q = of_q.heads;
  key_.heads_kv = of_k.heads;
  key_.head_dim = of_q.columns;
  key_.head_dim_v = of_v.columns;
  args_.batch = key_.batch = of_q.batch;
  args_.seqlen_q = key_.seqlen_q = of_q.rows;
  args_.seqlen_kv = key_.seqlen_kv = of_k.rows;
  args_.q = checked(q, of_q, false);
  args_.k = checked(k, {of_q.batch, of_k.heads, of_k.rows, of_q.columns}, false);
  args_.v = checked(v, {of_q.batch, of_k.heads, of_k.rows, of_v.columns}, false);
}

attune_tensor Problem::checked(const ArrayView& view, const Shape& wanted, bool is_output) const {
  require_place(view, is_output);
  if (library_dtype(view) != key_.dtype) {
    raise_type(std::string(view.name) + " is of " + view.dtype_name() + ", and q of " + q_.dtype_name() +
               ": all are to be of one dtype");
  }
  const Shape shape = shape_of(view);
  const bool fits = shape.batch == wanted.batch && shape.heads == wanted.heads && shape.rows == wanted.rows &&
                    shape.columns == wanted.columns;
  if (!fits) {
    raise_invalid(std::string(view.name) + " has shape " + view.shape_text() + "; with the other arrays " +
                  text_of(wanted) + " is wanted");
  }
  return tensor_of(view, shape);
}

// Dense, [batch, head, query].
void* Problem::checked_statistics(const ArrayView& view, bool is_output) const {
  require_place(view, is_output);
  const attune_dtype wanted = key_.dtype == ATTUNE_F64 ? ATTUNE_F64 : ATTUNE_F32;
  if (library_dtype(view) != wanted)
    raise_type(std::string(view.name) + " is of " + view.dtype_name() +
               "; statistics are float32 (float64 of float64)");
  const int64_t sizes[] = {key_.batch, key_.heads_q, key_.seqlen_q};
  bool fits = view.ndim == 3;
  bool is_dense = true;
  int64_t dense = 1;
  for (size_t axis = 3; axis-- > 0;) {
    fits = fits && view.shape[axis] == sizes[axis];
    is_dense = is_dense && (sizes[axis] <= 1 || view.stride[axis] == dense);
    dense *= sizes[axis];
  }
  const bool is_empty = dense == 0;  // then strides say nothing
  if (!fits || !(is_dense || is_empty)) {
    raise_invalid(std::string(view.name) + " has shape " + view.shape_text() + "; a contiguous (" +
                  number(sizes[0]) + ", " + number(sizes[1]) + ", " + number(sizes[2]) + ") is wanted");
  }
  return view.data;
}

void Problem::set_o(const ArrayView& o, bool is_output) {
  args_.o = checked(o, {key_.batch, key_.heads_q, key_.seqlen_q, key_.head_dim_v}, is_output);
}

void Problem::set_lse(const ArrayView& lse, bool is_output) {
  args_.lse = checked_statistics(lse, is_output);
}

void Problem::set_dout(const ArrayView& dout) {
  args_.dout = checked(dout, {key_.batch, key_.heads_q, key_.seqlen_q, key_.head_dim_v}, false);
}

void Problem::set_dlse(const ArrayView& dlse) {
  args_.dlse = checked_statistics(dlse, false);
}

void Problem::set_dq(const ArrayView& dq) {
  args_.dq = checked(dq, {key_.batch, key_.heads_q, key_.seqlen_q, key_.head_dim}, true);
}

void Problem::set_dk(const ArrayView& dk) {
  args_.dk = checked(dk, {key_.batch, key_.heads_kv, key_.seqlen_kv, key_.head_dim}, true);
}

void Problem::set_dv(const ArrayView& dv) {
  args_.dv = checked(dv, {key_.batch, key_.heads_kv, key_.seqlen_kv, key_.head_dim_v}, true);
}

}  // namespace attune_python

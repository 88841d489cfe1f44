#include "dispatch/reference_plan.h"

#include <charconv>
#include <cstring>
#include <span>
#include <vector>

#include "backend/host_device.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "dispatch/plan.h"
#include "reference/attention.h"
#include "reference/attention_gradient.h"
#include "reference/element.h"
#include "reference/tensor.h"

namespace attune {
namespace {

using Dims = HostTensor::Dims;

// body(batch, head, row) for every row, from several threads.
template <typename Body>
void for_each_row(const Dims& dims, const Body& body) {
  parallel_for(
      dims[0] * dims[1] * dims[2],
      [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          body(i / dims[2] / dims[1], i / dims[2] % dims[1], i % dims[2]);
      },
      dims[0] * dims[1] * dims[2] * dims[3]);
}

std::byte* row_of(const TensorView& view, DType dtype, int64_t batch, int64_t head, int64_t row) {
  const int64_t offset = batch * view.stride[0] + head * view.stride[1] + row * view.stride[2];
  return static_cast<std::byte*>(view.data) + offset * static_cast<int64_t>(size_of(dtype));
}

// The caller's tensor as the reference takes it: dense.
HostTensor read_tensor(const TensorView& view, DType dtype, const Dims& dims) {
  const HostTensor::Strides strides{dims[1] * dims[2] * dims[3], dims[2] * dims[3], dims[3], 1};
  HostTensor tensor(dtype, dims, strides, 0);
  const TensorView dense = tensor.view();
  const size_t bytes = static_cast<size_t>(dims[3]) * size_of(dtype);
  for_each_row(dims, [&](int64_t batch, int64_t head, int64_t row) {
    std::memcpy(row_of(dense, dtype, batch, head, row), row_of(view, dtype, batch, head, row), bytes);
  });
  return tensor;
}

// `values` are dense, in the order of `dims`; each is rounded once.
void write_tensor(const TensorView& view, DType dtype, const Dims& dims, const std::vector<double>& values) {
  for_each_row(dims, [&](int64_t batch, int64_t head, int64_t row) {
    std::byte* out = row_of(view, dtype, batch, head, row);
    const double* in = values.data() + ((batch * dims[1] + head) * dims[2] + row) * dims[3];
    for (int64_t column = 0; column < dims[3]; ++column)
      store_element(dtype, out + column * static_cast<int64_t>(size_of(dtype)), in[column]);
  });
}

void write_gradient(const TensorView& view, DType dtype, const Dims& dims,
                    const std::vector<double>& values) {
  if (view.data) write_tensor(view, dtype, dims, values);
}

// Statistics, dense; nothing when there are none.
std::vector<double> read_statistics(const void* data, DType dtype, int64_t count) {
  std::vector<double> values;
  if (!data) return values;
  values.reserve(static_cast<size_t>(count));
  const auto* bytes = static_cast<const std::byte*>(data);
  for (int64_t i = 0; i < count; ++i)
    values.push_back(load_element(dtype, bytes + i * static_cast<int64_t>(size_of(dtype))));
  return values;
}

class ReferencePlan final : public Executable {
 public:
  explicit ReferencePlan(const Problem& capacity) : capacity_(capacity) {}

  const Problem& capacity() const override { return capacity_; }
  const std::string& config_text() const override { return config_text_; }
  Match match() const override { return Match::by_default; }
  // One text of loops computes everything, so the bits depend on the version alone.
  uint64_t fingerprint() const override {
    const std::string digits = content_hash(fmt::format("reference {}\n", ATTUNE_VERSION_NUMBER));
    uint64_t number = 0;
    std::from_chars(digits.data(), digits.data() + 16, number, 16);
    return number;
  }
  size_t workspace_bytes() const override { return 0; }

  void execute(const attune_attention_args& args, void* workspace, size_t workspace_bytes,
               Stream stream) const override {
    require_no_stream("reference", stream);
    check_workspace(0, workspace, workspace_bytes);
    capacity_.operation == Operation::backward ? backward(args) : forward(args);
  }

 private:
  struct Shapes {
    Dims q, k, v, o;
  };

  Shapes shapes_of(const Arguments& arguments) const {
    const int64_t batch = arguments.batch, nq = arguments.seqlen_q, nk = arguments.seqlen_kv;
    const int64_t heads_q = capacity_.heads_q, heads_kv = capacity_.heads_kv;
    return {.q = {batch, heads_q, nq, capacity_.head_dim},
            .k = {batch, heads_kv, nk, capacity_.head_dim},
            .v = {batch, heads_kv, nk, capacity_.head_dim_v},
            .o = {batch, heads_q, nq, capacity_.head_dim_v}};
  }

  void forward(const attune_attention_args& args) const {
    const Arguments arguments = resolve_arguments(capacity_, args);
    if (arguments.batch == 0 || arguments.seqlen_q == 0) return;
    const DType dtype = capacity_.dtype;
    const Shapes shapes = shapes_of(arguments);
    const HostTensor q = read_tensor(arguments.q, dtype, shapes.q);
    const HostTensor k = read_tensor(arguments.k, dtype, shapes.k);
    const HostTensor v = read_tensor(arguments.v, dtype, shapes.v);
    const AttentionResult result = reference_attention(
        {.q = q, .k = k, .v = v, .mask = capacity_.mask, .scale = arguments.scale}, Magnitudes::left_out);
    write_tensor(arguments.o, dtype, shapes.o, result.o);
    if (!arguments.lse) return;
    const DType statistics = statistics_dtype(dtype);
    auto* lse = static_cast<std::byte*>(arguments.lse);
    for (const double value : result.lse) {
      store_element(statistics, lse, value);
      lse += size_of(statistics);
    }
  }

  void backward(const attune_attention_args& args) const {
    GradientArguments gradients;
    const Arguments arguments = resolve_backward_arguments(capacity_, args, nullptr, gradients);
    if (arguments.batch == 0) return;
    const DType dtype = capacity_.dtype, statistics = statistics_dtype(dtype);
    const Shapes shapes = shapes_of(arguments);
    const int64_t rows = shapes.q[0] * shapes.q[1] * shapes.q[2];
    const HostTensor q = read_tensor(arguments.q, dtype, shapes.q);
    const HostTensor k = read_tensor(arguments.k, dtype, shapes.k);
    const HostTensor v = read_tensor(arguments.v, dtype, shapes.v);
    const HostTensor o = read_tensor(arguments.o, dtype, shapes.o);
    const HostTensor dout = read_tensor(gradients.dout, dtype, shapes.o);
    const std::vector<double> lse = read_statistics(arguments.lse, statistics, rows);
    const std::vector<double> dlse = read_statistics(gradients.dlse, statistics, rows);
    const GradientResult result = reference_gradient(
        {.forward = {.q = q, .k = k, .v = v, .mask = capacity_.mask, .scale = arguments.scale},
         .o = o,
         .dout = dout,
         .lse = lse,
         .dlse = dlse},
        Magnitudes::left_out);
    write_gradient(gradients.dq, dtype, shapes.q, result.dq);
    write_gradient(gradients.dk, dtype, shapes.k, result.dk);
    write_gradient(gradients.dv, dtype, shapes.v, result.dv);
  }

  const Problem capacity_;
  const std::string config_text_ = "reference";
};

}  // namespace

std::unique_ptr<const Executable> make_reference_plan(const Problem& capacity) {
  return std::make_unique<const ReferencePlan>(capacity);
}

}  // namespace attune

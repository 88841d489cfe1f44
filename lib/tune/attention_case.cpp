#include "tune/attention_case.h"

#include "reference/naive.h"
#include "tune/device_tensor.h"
#include "tune/scratch_workspace.h"

namespace attune {
namespace {

// A broadcast axis keeps its extent and loses its stride; the values of its last index count.
HostTensor broadcast(const HostTensor& tensor, DType dtype, size_t axis) {
  HostTensor::Strides strides = tensor.strides();
  strides[axis] = 0;
  return HostTensor(dtype, tensor.dims(), strides, TensorPadding::fenced(dtype).margin);
}

}  // namespace

HostTensor AttentionCase::make_tensor(int64_t heads, int64_t rows, int64_t columns,
                                      Placement placement) const {
  const Layout layout = problem_.layout == Layout::bshd ? Layout::bshd : Layout::bhsd;
  const TensorPadding padding =
      placement == Placement::unaligned ? TensorPadding::unaligned() : TensorPadding::fenced(problem_.dtype);
  return HostTensor(problem_.dtype, {problem_.batch, heads, rows, columns}, layout, padding);
}

AttentionCase::AttentionCase(const Problem& problem, uint64_t seed, double q_deviation, Placement placement)
    : problem_(problem), placement_(placement) {
  q_ = make_tensor(problem.heads_q, problem.seqlen_q, problem.head_dim, placement);
  k_ = make_tensor(problem.heads_kv, problem.seqlen_kv, problem.head_dim, placement);
  v_ = make_tensor(problem.heads_kv, problem.seqlen_kv, problem.head_dim_v, placement);
  if (placement == Placement::broadcast) {
    constexpr size_t kBatch = 0, kHead = 1;
    k_ = broadcast(k_, problem.dtype, kBatch);
    v_ = broadcast(v_, problem.dtype, kHead);
  }
  q_.fill_random(seed, 0, q_deviation);
  k_.fill_random(seed + 1);
  v_.fill_random(seed + 2);
  const AttentionInputs inputs{q_, k_, v_, problem.mask, default_scale(problem.head_dim, problem.dtype)};
  reference_ = reference_attention(inputs);
  naive_ = naive_attention(inputs);
}

AttentionOutput AttentionCase::run(Backend& backend, const Family& family, const Config& config,
                                   const Module& module) const {
  AttentionOutput output{
      .o = make_tensor(problem_.heads_q, problem_.seqlen_q, problem_.head_dim_v, placement_),
      .lse = HostTensor(statistics_dtype(problem_.dtype),
                        {1, 1, 1, problem_.batch * problem_.heads_q * problem_.seqlen_q}, Layout::bhsd,
                        TensorPadding::fenced(statistics_dtype(problem_.dtype)))};
  HostTensor q = q_, k = k_, v = v_;
  const DeviceTensor q_device(backend, q), k_device(backend, k), v_device(backend, v);
  const DeviceTensor o_device(backend, output.o), lse_device(backend, output.lse);
  const ScratchWorkspace workspace(backend, family, problem_, config);
  const Arguments arguments{.q = q_device.view(),
                            .k = k_device.view(),
                            .v = v_device.view(),
                            .o = o_device.view(),
                            .lse = lse_device.view().data,
                            .workspace = workspace.data(),
                            .batch = problem_.batch,
                            .seqlen_q = problem_.seqlen_q,
                            .seqlen_kv = problem_.seqlen_kv,
                            .scale = default_scale(problem_.head_dim, problem_.dtype)};
  Launch launch;
  family.pack(problem_, config, arguments, backend.tensor_maps(), launch, backend.device().multiprocessors);
  backend.launch(module, launch, backend.planning_stream());
  backend.synchronize(backend.planning_stream());
  o_device.download();
  lse_device.download();
  return output;
}

Comparison AttentionCase::compare(const AttentionOutput& output) const {
  if (!output.o.margins_intact()) return canary_failure("o");
  if (!output.lse.margins_intact()) return canary_failure("lse");
  std::vector<double> lse(static_cast<size_t>(output.lse.columns()));
  output.lse.read_row(0, 0, 0, lse.data());
  return compare_attention(output.o, lse, reference_, naive_);
}

Comparison AttentionCase::check(Backend& backend, const Family& family, const Config& config,
                                const Module& module) const {
  return compare(run(backend, family, config, module));
}

}  // namespace attune

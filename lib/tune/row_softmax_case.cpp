#include "tune/row_softmax_case.h"

#include "reference/row_softmax.h"
#include "tune/device_tensor.h"

namespace attune {

RowSoftmaxCase::RowSoftmaxCase(const Problem& problem, uint64_t seed, double deviation)
    : problem_(problem),
      x_(problem.dtype, {1, 1, problem.seqlen_q, problem.seqlen_kv}, Layout::bhsd,
         TensorPadding::fenced(problem.dtype)) {
  problem_.batch = problem_.heads_q = 1;
  x_.fill_random(seed, 0, deviation);
  reference_ = reference_row_softmax(x_);
}

Comparison RowSoftmaxCase::check(Backend& backend, const Family& family, const Config& config,
                                 const Module& module) const {
  HostTensor x = x_;
  HostTensor y = x_;
  y.poison();
  const DeviceTensor x_device(backend, x), y_device(backend, y);
  const Arguments arguments{.q = x_device.view(),
                            .o = y_device.view(),
                            .batch = 1,
                            .seqlen_q = problem_.seqlen_q,
                            .seqlen_kv = problem_.seqlen_kv};
  Launch launch;
  family.pack(problem_, config, arguments, backend.tensor_maps(), launch);
  backend.launch(module, launch, backend.planning_stream());
  backend.synchronize(backend.planning_stream());
  y_device.download();
  if (!y.margins_intact()) return canary_failure("y");
  return compare_row_softmax(y, reference_);
}

}  // namespace attune

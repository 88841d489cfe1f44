#include "capi/gradient_check.h"

#include <algorithm>
#include <cmath>

#include "capi/backward_fixture.h"
#include "support/catch.h"

namespace attune::capi_test {
namespace {

constexpr double kStep = 1e-3;
// Two query heads on one kv head; under a causal mask the first two queries see nothing.
constexpr int64_t kHeads = 2, kRows = 5, kKeys = 3, kDim = 4;
constexpr size_t kStatistics = kHeads * kRows;

attune_attention_desc desc_of(attune_operation operation, attune_mask mask) {
  attune_attention_desc desc = ATTUNE_ATTENTION_DESC_INIT;
  desc.operation = operation;
  desc.dtype = ATTUNE_F64;
  desc.layout = ATTUNE_BHSD;
  desc.mask = mask;
  desc.heads_q = kHeads;
  desc.heads_kv = 1;
  desc.head_dim = kDim;
  desc.max_batch = 1;
  desc.max_seqlen_q = kRows;
  desc.max_seqlen_kv = kKeys;
  return desc;
}

// Numbers on the device.
class Values {
 public:
  Values(attune_context_t context, size_t count, uint64_t seed)
      : context_(context), memory_(context, count * 8) {
    HostTensor random(DType::f64, {1, 1, 1, static_cast<int64_t>(count)});
    random.fill_random(seed);
    host = random.to_doubles();
    upload();
  }
  void* data() const { return memory_.data(); }
  void upload() const {
    REQUIRE(attune_memory_copy(context_, memory_.data(), host.data(), host.size() * 8) == ATTUNE_OK);
  }
  std::vector<double> download() const {
    std::vector<double> values(host.size());
    memory_.read(values.data(), values.size() * 8);
    return values;
  }

  std::vector<double> host;

 private:
  attune_context_t context_;
  DeviceMemory memory_;
};

struct Bench {
  attune_context_t context;
  attune_mask mask;
  Values q{context, kHeads*kRows*kDim, 1}, k{context, kKeys*kDim, 2}, v{context, kKeys*kDim, 3};
  Values o{context, kHeads*kRows*kDim, 4}, lse{context, kStatistics, 5};
  Values dout{context, kHeads*kRows*kDim, 6}, dlse{context, kStatistics, 7};
  Values dq{context, kHeads*kRows*kDim, 8}, dk{context, kKeys*kDim, 9}, dv{context, kKeys*kDim, 10};
  PlanHandle forward = make_plan(context, desc_of(ATTUNE_FORWARD, mask));
  PlanHandle backward = make_plan(context, desc_of(ATTUNE_BACKWARD, mask));

  attune_attention_args args() const {
    attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
    args.q.data = q.data(), args.k.data = k.data(), args.v.data = v.data(), args.o.data = o.data();
    args.lse = lse.data();
    return args;
  }
  void run_forward() const {
    const attune_attention_args forward_args = args();
    REQUIRE(attune_plan_execute(forward.get(), &forward_args, nullptr, 0, nullptr) == ATTUNE_OK);
    REQUIRE(attune_stream_synchronize(context, nullptr) == ATTUNE_OK);
  }
  // sum(dO ∘ O) + sum(dlse · lse) of rows that see a key.
  long double loss() const {
    run_forward();
    const std::vector<double> outputs = o.download(), statistics = lse.download();
    long double sum = 0;
    for (size_t i = 0; i < outputs.size(); ++i)
      sum += static_cast<long double>(dout.host[i]) * outputs[i];
    for (size_t i = 0; i < kStatistics; ++i)
      if (std::isfinite(statistics[i])) sum += static_cast<long double>(dlse.host[i]) * statistics[i];
    return sum;
  }
  void run_backward() const {
    run_forward();
    attune_attention_args backward_args = args();
    backward_args.dout.data = dout.data(), backward_args.dlse = dlse.data();
    backward_args.dq.data = dq.data(), backward_args.dk.data = dk.data(), backward_args.dv.data = dv.data();
    size_t bytes = 0;
    REQUIRE(attune_plan_get_workspace_size(backward.get(), &bytes) == ATTUNE_OK);
    const DeviceMemory workspace(context, bytes);
    REQUIRE(attune_plan_execute(backward.get(), &backward_args, workspace.data(), bytes, nullptr) ==
            ATTUNE_OK);
    REQUIRE(attune_stream_synchronize(context, nullptr) == ATTUNE_OK);
  }
};

std::vector<double> differences(const Bench& bench, Values& values) {
  std::vector<double> result;
  for (double& value : values.host) {
    const double centre = value;
    const auto loss_at = [&](double step) {
      value = centre + step;
      values.upload();
      return bench.loss();
    };
    const long double near = loss_at(kStep) - loss_at(-kStep), far = loss_at(2 * kStep) - loss_at(-2 * kStep);
    result.push_back(static_cast<double>((8 * near - far) / (12 * static_cast<long double>(kStep))));
    value = centre;
    values.upload();
  }
  return result;
}

}  // namespace

void check_differences(attune_context_t context, attune_mask mask) {
  Bench bench{context, mask};
  bench.run_backward();
  const std::vector<double> gradients[] = {bench.dq.download(), bench.dk.download(), bench.dv.download()};
  double largest = 0;
  for (const std::vector<double>& gradient : gradients) {
    for (const double value : gradient)
      largest = std::max(largest, std::fabs(value));
  }
  CHECK(largest > 0.1);
  const std::vector<double> expected[] = {differences(bench, bench.q), differences(bench, bench.k),
                                          differences(bench, bench.v)};
  for (size_t which = 0; which < 3; ++which) {
    for (size_t i = 0; i < expected[which].size(); ++i) {
      INFO("gradient of "
           << "qkv"[which] << " element " << i);
      CHECK(std::fabs(gradients[which][i] - expected[which][i]) <= 1e-8 * largest);
    }
  }
}

}  // namespace attune::capi_test

// attune-bench --host: one plan in CUDA graphs, captured and instantiated again for every length.
#include <chrono>
#include <limits>
#include <set>

#include "base/error.h"
#include "cuda/captured_graph.h"
#include "dispatch/planner.h"
#include "reference/compare.h"
#include "reference/naive.h"
#include "tools/bench_host.h"
#include "tune/device_tensor.h"

namespace attune {
namespace {

constexpr int64_t kMaxKeys = 8192;
constexpr const char* kWhat = "wrong results of one plan captured for Nk = 1 to 8192";

// One query row against a growing cache, as in decoding: 8 query heads on 2, D = 128.
attune_attention_desc decode_desc() {
  attune_attention_desc desc = bench_desc();
  desc.mask = ATTUNE_MASK_CAUSAL;
  desc.heads_q = 8;
  desc.heads_kv = 2;
  desc.head_dim = 128;
  desc.max_batch = 2;
  desc.max_seqlen_q = 1;
  desc.max_seqlen_kv = kMaxKeys;
  return desc;
}

// Every power of two with both of its neighbours: where tiles and loops begin and end.
std::set<int64_t> lengths() {
  std::set<int64_t> all;
  for (int64_t power = 1; power <= kMaxKeys; power *= 2) {
    for (const int64_t length : {power - 1, power, power + 1}) {
      if (length >= 1 && length <= kMaxKeys) all.insert(length);
    }
  }
  return all;
}

HostTensor random_tensor(int64_t heads, int64_t rows, uint64_t seed, const attune_attention_desc& desc) {
  HostTensor tensor(DType::bf16, {desc.max_batch, heads, rows, desc.head_dim});
  tensor.fill_random(seed);
  return tensor;
}

struct GraphRun {
  double seconds = 0;  // to capture and instantiate
  Comparison comparison;
};

GraphRun run_length(attune_context& context, const attune_attention_desc& desc, attune_plan_t plan,
                    const Module& module, int64_t keys) {
  Backend& backend = *context.backend;
  const auto seed = static_cast<uint64_t>(keys);
  HostTensor q = random_tensor(desc.heads_q, 1, seed, desc);
  HostTensor k = random_tensor(desc.heads_kv, keys, seed + 1, desc);
  HostTensor v = random_tensor(desc.heads_kv, keys, seed + 2, desc);
  HostTensor o = random_tensor(desc.heads_q, 1, seed + 3, desc);
  o.fill(std::numeric_limits<double>::quiet_NaN());
  const DeviceTensor q_device(backend, q), k_device(backend, k), v_device(backend, v), o_device(backend, o);
  attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
  args.q.data = q_device.view().data;
  args.k.data = k_device.view().data;
  args.v.data = v_device.view().data;
  args.o.data = o_device.view().data;
  args.seqlen_kv = keys;
  const auto start = std::chrono::steady_clock::now();
  const CapturedGraph graph(module, [&](Stream stream) {
    require_ok(attune_plan_execute(plan, &args, nullptr, 0, stream), "attune_plan_execute");
  });
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  graph.run();
  o_device.download();
  const AttentionInputs inputs{q, k, v, static_cast<Mask>(desc.mask)};
  return {passed.count(), compare_attention(o, {}, reference_attention(inputs), naive_attention(inputs))};
}

}  // namespace

std::vector<HostCost> bench_graphs(attune_context& context) {
  if (context.backend->name() != "cuda") {
    return {skipped_cost(kWhat, fmt::format("needs a GPU: {} has no graphs", context.backend->name()))};
  }
  const attune_attention_desc desc = decode_desc();
  const ApiPlan plan(context, desc);
  const auto inside =
      make_plan(problem_from_desc(desc), context.planner_resources(), TuningPolicy::off, TuneHook());
  std::vector<double> seconds;
  int wrong = 0;
  std::string first_reason;
  for (const int64_t keys : lengths()) {
    const GraphRun run = run_length(context, desc, plan.handle(), inside->module(), keys);
    seconds.push_back(run.seconds);
    if (run.comparison.ok) continue;
    if (++wrong == 1) first_reason = fmt::format("first at Nk = {}: {}", keys, run.comparison.reason);
  }
  HostCost results = counted_cost(kWhat, wrong, 0);
  results.note =
      wrong > 0 ? first_reason : fmt::format("{} lengths, each against the reference", seconds.size());
  return {std::move(results),
          timed_cost("capture and instantiate one execute", measurement_of(seconds), -1, false)};
}

}  // namespace attune

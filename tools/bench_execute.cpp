// attune-bench --host: execute against a bare launch of the same kernel.
#include <chrono>
#include <cstring>

#include "base/error.h"
#include "cuda/bare_launch.h"
#include "dispatch/planner.h"
#include "reference/tensor.h"
#include "tools/bench_host.h"
#include "tune/device_tensor.h"

namespace attune {
namespace {

// A block of launches fits the driver's queue, so none of them waits for the GPU.
constexpr int kLaunchesOfBlock = 64;
constexpr int kBlocks = 400;
constexpr const char* kWhat = "execute less its bare launch";
constexpr const char* kWhatAnew = "execute of other arguments less its bare launch";

// The smallest problem that launches: the GPU must be done before the next block begins.
constexpr int64_t kRows = 16;

struct Tensors {
  explicit Tensors(const attune_attention_desc& desc)
      : q(DType::bf16, {1, desc.heads_q, kRows, desc.head_dim}),
        k(DType::bf16, {1, desc.heads_kv, kRows, desc.head_dim}),
        v(DType::bf16, {1, desc.heads_kv, kRows, desc.head_dim}),
        o(DType::bf16, {1, desc.heads_q, kRows, desc.head_dim}) {
    q.fill_random(1);
    k.fill_random(2);
    v.fill_random(3);
  }
  HostTensor q, k, v, o;
};

// Seconds of one launch, the mean of a block that starts on an idle device.
template <typename LaunchOnce>
double block_seconds(Backend& backend, Stream stream, LaunchOnce&& launch_once) {
  backend.synchronize(stream);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kLaunchesOfBlock; ++i)
    launch_once();
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  return passed.count() / kLaunchesOfBlock;
}

struct ExecuteTimes {
  std::vector<double> execute, bare, difference;  // seconds of a launch, per block
};

template <typename Execute, typename Bare>
ExecuteTimes interleave(Backend& backend, Stream stream, Execute&& execute, Bare&& bare) {
  ExecuteTimes times;
  for (int i = -2; i < kBlocks; ++i) {  // the first two are warm-up
    const bool execute_first = i % 2 == 0;
    double of_bare = execute_first ? 0 : block_seconds(backend, stream, bare);
    const double of_execute = block_seconds(backend, stream, execute);
    if (execute_first) of_bare = block_seconds(backend, stream, bare);
    if (i < 0) continue;
    times.execute.push_back(of_execute);
    times.bare.push_back(of_bare);
    times.difference.push_back(of_execute - of_bare);
  }
  backend.synchronize(stream);
  return times;
}

struct TimesOfBoth {
  ExecuteTimes again;  // with the same arguments, which the plan remembers
  ExecuteTimes anew;   // with a length that differs from call to call
};

TimesOfBoth time_executes(attune_context& context) {
  Backend& backend = *context.backend;
  const attune_attention_desc desc = bench_desc();
  const ApiPlan plan(context, desc);
  // The same plan from inside: its module and packed launch are what the bare launch takes.
  const auto inside =
      make_plan(problem_from_desc(desc), context.planner_resources(), TuningPolicy::off, TuneHook());
  const char* config = nullptr;
  require_ok(attune_plan_get_config(plan.handle(), &config), "attune_plan_get_config");
  if (inside->config_text() != config) {
    fail(ATTUNE_ERROR_INTERNAL, "two plans of one problem differ: {} and {}", config, inside->config_text());
  }
  Tensors host(desc);
  const DeviceTensor q(backend, host.q), k(backend, host.k), v(backend, host.v), o(backend, host.o);
  attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
  args.q.data = q.view().data;
  args.k.data = k.view().data;
  args.v.data = v.view().data;
  args.o.data = o.view().data;
  args.seqlen_q = args.seqlen_kv = kRows;
  Launch launch;
  inside->family().pack(inside->capacity(), inside->config(), resolve_arguments(inside->capacity(), args),
                        backend.tensor_maps(), launch, backend.device().multiprocessors);
  // A stream of a caller's own, as most have: execute asks CUDA whose it is.
  const Stream stream = backend.planning_stream();
  BareLaunch bare(inside->module(), launch, stream);
  const auto execute = [&] {
    require_ok(attune_plan_execute(plan.handle(), &args, nullptr, 0, stream), "attune_plan_execute");
  };
  const ExecuteTimes again = interleave(backend, stream, execute, bare);
  int64_t turn = 0;
  const auto execute_anew = [&] {
    args.seqlen_kv = kRows - turn++ % 2;
    execute();
  };
  return {again, interleave(backend, stream, execute_anew, bare)};
}

HostCost judged(const char* what, const ExecuteTimes& times) {
  HostCost cost{.what = what, .value = median_of(times.difference), .bound = kExecuteOverBare};
  cost.verdict = cost.value <= kExecuteOverBare ? Verdict::holds : Verdict::missed;
  cost.note = fmt::format("median of {} pairs of blocks of {} launches", kBlocks, kLaunchesOfBlock);
  return cost;
}

}  // namespace

std::vector<HostCost> bench_execute(attune_context& context) {
  if (context.backend->name() != "cuda") {
    return {skipped_cost(kWhat, fmt::format("needs a GPU: {} has no bare launch", context.backend->name()))};
  }
  const TimesOfBoth times = time_executes(context);
  return {timed_cost("execute", measurement_of(times.again.execute), -1, false),
          timed_cost("execute of other arguments", measurement_of(times.anew.execute), -1, false),
          timed_cost("bare launch of the same kernel", measurement_of(times.again.bare), -1, false),
          judged(kWhat, times.again), judged(kWhatAnew, times.anew)};
}

}  // namespace attune

// The C API on a GPU: tuning at plan creation, streams, captures, forks.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "base/files.h"
#include "capi/fixtures.h"
#include "cuda/driver_calls.h"

using namespace attune;
using namespace attune::capi_test;
using attune::test::current_context;
using attune::test::have_nvrtc;
using attune::test::must;

namespace {

attune_context_options cuda_options() {
  attune_context_options options = simt_options();
  options.device = "cuda";
  return options;
}

double seconds_of(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

attune_match match_of(attune_plan_t plan) {
  attune_match match = ATTUNE_MATCH_DEFAULT;
  REQUIRE(attune_plan_get_match(plan, &match) == ATTUNE_OK);
  return match;
}

// The primary context of device 0, current for the life of the object, and a stream in it.
class PrimaryStream {
 public:
  PrimaryStream() {
    must("cuInit", 0u);
    must("cuDevicePrimaryCtxRetain", &context_, 0);
    must("cuCtxPushCurrent_v2", context_);
    stream_ = std::make_unique<test::OwnStream>();
  }
  ~PrimaryStream() {
    stream_.reset();
    CUctx_st* popped = nullptr;
    test::driver_call("cuCtxPopCurrent_v2", &popped);
    test::driver_call("cuDevicePrimaryCtxRelease_v2", 0);
  }

  CUstream_st* handle() const { return stream_->handle(); }

 private:
  CUctx_st* context_ = nullptr;
  std::unique_ptr<test::OwnStream> stream_;
};

}  // namespace

TEST_CASE("the GPU computes what it should, for lengths up to the capacity", "[gpu]") {
  ATTUNE_NEED_GPU();
  const ContextHandle context = make_context(cuda_options());
  attune_device_info info = ATTUNE_DEVICE_INFO_INIT;
  REQUIRE(attune_context_get_device_info(&info, context.get()) == ATTUNE_OK);
  CHECK(std::string(info.backend) == "cuda");
  CHECK(info.global_memory > 0);
  attune_attention_desc desc = small_desc();
  desc.mask = ATTUNE_MASK_CAUSAL;
  desc.head_dim = 128;
  desc.max_seqlen_q = desc.max_seqlen_kv = 1025;
  const PlanHandle plan = make_plan(context.get(), desc);
  for (const Forward::Shape shape : {Forward::Shape{2, 1025, 1025}, {1, 1, 1}, {2, 113, 799}, {1, 203, 7}}) {
    const Forward forward(context.get(), desc, shape);
    const attune_attention_args args = forward.args();
    REQUIRE(attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr) == ATTUNE_OK);
    const Comparison comparison = forward.compare(forward.read());
    INFO(comparison.reason);
    CHECK(comparison.ok);
  }
}

TEST_CASE("plan creation tunes once", "[gpu]") {
  ATTUNE_NEED_GPU();
  attune_context_options options = cuda_options();
  options.tuning = ATTUNE_TUNING_MISS;
  options.tuning_seconds = 60;  // enough on a machine that is busy with other things, too
  const ContextHandle context = make_context(options);
  attune_attention_desc desc = small_desc();
  desc.head_dim = 64;
  desc.max_seqlen_q = desc.max_seqlen_kv = 512;
  const PlanHandle first = make_plan(context.get(), desc);
  PlanHandle second;
  const double known = seconds_of([&] { second = make_plan(context.get(), desc); });
  INFO("second plan after " << known << " s");
  CHECK(known < 0.5);
  CHECK(match_of(first.get()) == ATTUNE_MATCH_EXACT);
  CHECK(match_of(second.get()) == ATTUNE_MATCH_EXACT);
}

TEST_CASE("tuning at plan creation stays within its bound", "[gpu]") {
  ATTUNE_NEED_GPU();
  attune_context_options options = cuda_options();
  options.tuning = ATTUNE_TUNING_MISS;
  const ContextHandle context = make_context(options);
  attune_attention_desc desc = small_desc();
  desc.head_dim = 128;
  desc.max_seqlen_q = desc.max_seqlen_kv = 512;
  PlanHandle plan;
  const double seconds = seconds_of([&] { plan = make_plan(context.get(), desc); });
  INFO("plan after " << seconds << " s");
  CHECK(seconds < 6);  // 3 s, and what was begun before they were over
}

TEST_CASE("without NVRTC a context can be made, a plan cannot", "[gpu]") {
  ATTUNE_NEED_GPU();
  const ScratchDirectory empty;
  const std::string path = empty.path();
  attune_context_options options = cuda_options();
  options.nvrtc_path = path.c_str();
  const ContextHandle context = make_context(options);
  const attune_attention_desc desc = small_desc();
  attune_plan_t plan = nullptr;
  check_fails(attune_plan_create(&plan, context.get(), &desc), ATTUNE_ERROR_NO_COMPILER, {path});
  CHECK(plan == nullptr);
}

TEST_CASE("execute works on a stream, is captured into a graph, and changes no current context", "[gpu]") {
  ATTUNE_NEED_GPU();
  const PrimaryStream stream;
  const ContextHandle context = make_context(cuda_options());
  const PlanHandle plan = make_plan(context.get(), small_desc());
  const Forward forward(context.get(), small_desc(), {2, 63, 65});
  const attune_attention_args args = forward.args();
  CUctx_st* const current = current_context();

  CUgraph_st* graph = nullptr;
  CUgraphExec_st* executable = nullptr;
  must("cuStreamBeginCapture_v2", stream.handle(), 0);
  const attune_status status = attune_plan_execute(plan.get(), &args, nullptr, 0, stream.handle());
  must("cuStreamEndCapture", stream.handle(), &graph);
  INFO(attune_last_error_message());
  REQUIRE(status == ATTUNE_OK);
  CHECK(current_context() == current);
  must("cuGraphInstantiateWithFlags", &executable, graph, 0ull);
  must("cuGraphLaunch", executable, stream.handle());
  REQUIRE(attune_stream_synchronize(context.get(), stream.handle()) == ATTUNE_OK);
  CHECK(forward.compare(forward.read()).ok);
  must("cuGraphExecDestroy", executable);
  must("cuGraphDestroy", graph);
}

TEST_CASE("a forked child loses its context on the GPU, too", "[gpu]") {
  ATTUNE_NEED_GPU();
  const ContextHandle context = make_context(cuda_options());
  const PlanHandle plan = make_plan(context.get(), small_desc());
  const Forward forward(context.get(), small_desc(), {1, 5, 6});
  const attune_attention_args args = forward.args();
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const bool lost =
        attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr) == ATTUNE_ERROR_CONTEXT_LOST;
    attune_plan_destroy(plan.get());
    attune_context_destroy(context.get());
    ::_exit(lost ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr) == ATTUNE_OK);
  CHECK(forward.compare(forward.read()).ok);
}

// By hand: what the checks of the C API cost beside the launch.
TEST_CASE("time of an execute", "[.][gpu]") {
  ATTUNE_NEED_GPU();
  const ContextHandle context = make_context(cuda_options());
  const PlanHandle plan = make_plan(context.get(), small_desc());
  const Forward forward(context.get(), small_desc(), {1, 16, 16});
  attune_attention_args args = forward.args();
  constexpr int kCount = 1000;
  for (const int64_t batch : {1, 0}) {
    args.batch = batch;
    for (int round = 0; round < 3; ++round) {
      const double seconds = seconds_of([&] {
        for (int i = 0; i < kCount; ++i)
          attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr);
      });
      REQUIRE(attune_stream_synchronize(context.get(), nullptr) == ATTUNE_OK);
      WARN("batch " << batch << ": " << seconds / kCount * 1e9 << " ns");
    }
  }
}

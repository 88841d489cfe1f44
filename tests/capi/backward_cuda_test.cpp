// Backward through the C API on a GPU: right, differentiated, repeated, captured.
#include <chrono>

#include "capi/backward_fixture.h"
#include "capi/gradient_check.h"
#include "cuda/driver_calls.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;
using attune::test::have_nvrtc;
using attune::test::must;

namespace {

attune_context_options cuda_options() {
  attune_context_options options = simt_options();
  options.device = "cuda";
  return options;
}

// A stream of the primary context, which is current for the life of the object.
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

TEST_CASE("backward on a GPU is right for lengths up to the capacity, the first time and the hundredth",
          "[gpu]") {
  ATTUNE_NEED_GPU();
  const ContextHandle context = make_context(cuda_options());
  attune_attention_desc desc = small_backward_desc();
  desc.mask = ATTUNE_MASK_CAUSAL;
  desc.head_dim = 128;
  desc.max_seqlen_q = desc.max_seqlen_kv = 1025;
  const PlanHandle plan = make_plan(context.get(), desc);
  for (const Forward::Shape shape : {Forward::Shape{2, 1025, 1025}, {1, 1, 1}, {2, 113, 799}, {1, 203, 7}}) {
    CAPTURE(shape.batch, shape.seqlen_q, shape.seqlen_kv);
    const Backward backward(context.get(), desc, shape);
    REQUIRE(backward.execute(plan.get()) == ATTUNE_OK);
    const Backward::Result first = backward.read();
    const Comparison comparison = backward.compare(first);
    INFO(comparison.reason);
    CHECK(comparison.ok);
    for (int call = 2; call <= 100; ++call)
      REQUIRE(backward.execute(plan.get()) == ATTUNE_OK);
    CHECK(backward.read().same_bits(first));
  }
}

TEST_CASE("gradients in f64 on a GPU equal fourth-order differences of the forward pass", "[gpu]") {
  ATTUNE_NEED_GPU();
  const ContextHandle context = make_context(cuda_options());
  for (const attune_mask mask : {ATTUNE_MASK_NONE, ATTUNE_MASK_CAUSAL})
    check_differences(context.get(), mask);
}

TEST_CASE("tuning backward at plan creation stays within its bound", "[gpu]") {
  ATTUNE_NEED_GPU();
  attune_attention_desc desc = small_backward_desc();
  desc.head_dim = 64;
  desc.max_seqlen_q = desc.max_seqlen_kv = 512;
  // Ample, so that each stage times something on a busy machine, too; and too short to time anything, which
  // must be no obstacle to a plan.
  for (const double bound : {30.0, 0.001}) {
    attune_context_options options = cuda_options();
    options.tuning = ATTUNE_TUNING_MISS;
    options.tuning_seconds = bound;
    const ContextHandle context = make_context(options);
    const auto start = std::chrono::steady_clock::now();
    const PlanHandle plan = make_plan(context.get(), desc);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    INFO("bound " << bound << " s, plan after " << seconds << " s");
    CHECK(seconds < bound + 10);  // what was begun in time is ended, and the plan's kernels are compiled
    attune_match match = ATTUNE_MATCH_DEFAULT;
    REQUIRE(attune_plan_get_match(plan.get(), &match) == ATTUNE_OK);
    if (bound > 1) CHECK(match == ATTUNE_MATCH_EXACT);
    const Backward backward(context.get(), desc, {2, 300, 511});
    REQUIRE(backward.execute(plan.get()) == ATTUNE_OK);
    CHECK(backward.compare(backward.read()).ok);
  }
}

TEST_CASE("backward is captured into a graph; ATTUNE_CHECK then says that it did not look at lse", "[gpu]") {
  ATTUNE_NEED_GPU();
  const PrimaryStream stream;
  for (const int check : {0, 1}) {
    attune_context_options options = cuda_options();
    options.check = check;
    LogCapture capture;
    capture.attach(options, ATTUNE_LOG_WARNING);
    const ContextHandle context = make_context(options);
    const attune_attention_desc desc = small_backward_desc();
    const PlanHandle plan = make_plan(context.get(), desc);
    const Backward backward(context.get(), desc, {2, 63, 65});
    REQUIRE(attune_stream_synchronize(context.get(), nullptr) == ATTUNE_OK);
    size_t bytes = 0;
    REQUIRE(attune_plan_get_workspace_size(plan.get(), &bytes) == ATTUNE_OK);
    const DeviceMemory workspace(context.get(), bytes);
    const attune_attention_args args = backward.args();

    CUgraph_st* graph = nullptr;
    CUgraphExec_st* executable = nullptr;
    must("cuStreamBeginCapture_v2", stream.handle(), 0);
    const attune_status status =
        attune_plan_execute(plan.get(), &args, workspace.data(), bytes, stream.handle());
    must("cuStreamEndCapture", stream.handle(), &graph);
    INFO(attune_last_error_message());
    REQUIRE(status == ATTUNE_OK);
    CHECK(capture.says("while the stream is being captured") == (check == 1));
    must("cuGraphInstantiateWithFlags", &executable, graph, 0ull);
    for (int launch = 0; launch < 2; ++launch)
      must("cuGraphLaunch", executable, stream.handle());
    REQUIRE(attune_stream_synchronize(context.get(), stream.handle()) == ATTUNE_OK);
    CHECK(backward.compare(backward.read()).ok);
    must("cuGraphExecDestroy", executable);
    must("cuGraphDestroy", graph);
  }
}

TEST_CASE("ATTUNE_CHECK on a GPU names a row whose LSE is not that of q and k", "[gpu]") {
  ATTUNE_NEED_GPU();
  attune_context_options options = cuda_options();
  options.check = 1;
  const ContextHandle context = make_context(options);
  const attune_attention_desc desc = small_backward_desc();
  const PlanHandle plan = make_plan(context.get(), desc);
  const Backward backward(context.get(), desc, {2, 63, 65});
  CHECK(backward.execute(plan.get()) == ATTUNE_OK);
  attune_attention_args args = backward.args();
  args.scale = 0.5;  // not the one of the forward pass
  check_fails(backward.execute(plan.get(), args), ATTUNE_ERROR_INVALID_ARGUMENT,
              {"lse of batch 0 head 0 row 0"});
}

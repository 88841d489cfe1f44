// One plan in CUDA graphs: captured and instantiated again for each length, 1 to 8192 keys, every result
// against the reference.
#include <bit>

#include "capi/fixtures.h"
#include "cuda/driver_calls.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;
using attune::test::have_nvrtc;
using attune::test::must;

namespace {

constexpr int64_t kMaxKeys = 8192;
constexpr int kModeGlobal = 0;  // CU_STREAM_CAPTURE_MODE_GLOBAL: the strictest

attune_attention_desc decode_desc(attune_mask mask, int64_t rows) {
  attune_attention_desc desc = small_desc();
  desc.mask = mask;
  desc.head_dim = 64;
  desc.max_seqlen_q = rows;
  desc.max_seqlen_kv = kMaxKeys;
  return desc;
}

// Device 0's primary context, current, so that a stream of the test is of the context attune binds.
class PrimaryCurrent {
 public:
  PrimaryCurrent() {
    must("cuInit", 0u);
    must("cuDevicePrimaryCtxRetain", &handle_, 0);
    must("cuCtxPushCurrent_v2", handle_);
  }
  ~PrimaryCurrent() {
    CUctx_st* popped = nullptr;
    test::driver_call("cuCtxPopCurrent_v2", &popped);
    test::driver_call("cuDevicePrimaryCtxRelease_v2", 0);
  }

 private:
  CUctx_st* handle_ = nullptr;
};

// Captures one execute, instantiates it, launches it twice and waits.
void run_captured(attune_context_t context, attune_plan_t plan, const attune_attention_args& args,
                  void* workspace, size_t bytes, Stream stream) {
  CUgraph_st* graph = nullptr;
  CUgraphExec_st* executable = nullptr;
  must("cuStreamBeginCapture_v2", stream, kModeGlobal);
  const attune_status status = attune_plan_execute(plan, &args, workspace, bytes, stream);
  const std::string message = attune_last_error_message();
  must("cuStreamEndCapture", stream, &graph);
  INFO(message);
  REQUIRE(status == ATTUNE_OK);
  must("cuGraphInstantiateWithFlags", &executable, graph, 0ull);
  for (int turn = 0; turn < 2; ++turn)
    must("cuGraphLaunch", executable, stream);
  REQUIRE(attune_stream_synchronize(context, stream) == ATTUNE_OK);
  must("cuGraphExecDestroy", executable);
  must("cuGraphDestroy", graph);
}

}  // namespace

TEST_CASE("one plan, captured for each length, is right from 1 to 8192 keys", "[gpu]") {
  ATTUNE_NEED_GPU();
  const PrimaryCurrent primary;
  const test::OwnStream stream;
  attune_context_options options = simt_options();
  options.device = "cuda";
  const ContextHandle context = make_context(options);
  for (const attune_mask mask : {ATTUNE_MASK_NONE, ATTUNE_MASK_CAUSAL}) {
    const int64_t rows = mask == ATTUNE_MASK_CAUSAL ? 5 : 1;
    const attune_attention_desc desc = decode_desc(mask, rows);
    const PlanHandle plan = make_plan(context.get(), desc);
    size_t bytes = 0;
    REQUIRE(attune_plan_get_workspace_size(plan.get(), &bytes) == ATTUNE_OK);
    const DeviceMemory workspace(context.get(), bytes);
    for (int64_t power = 1; power <= kMaxKeys; power *= 2) {
      for (const int64_t keys : {power - 1, power, power + 1}) {
        if (keys < 1 || keys > kMaxKeys) continue;
        const Forward forward(context.get(), desc, {2, rows, keys}, static_cast<uint64_t>(keys));
        // Every other power does without a workspace.
        const bool has_workspace = std::countr_zero(static_cast<uint64_t>(power)) % 2 == 0;
        run_captured(context.get(), plan.get(), forward.args(), has_workspace ? workspace.data() : nullptr,
                     has_workspace ? bytes : 0, stream.handle());
        const Comparison comparison = forward.compare(forward.read());
        INFO("mask " << mask << ", Nk = " << keys << ": " << comparison.reason);
        CHECK(comparison.ok);
      }
    }
  }
}

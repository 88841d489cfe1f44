// ATTUNE_DEVICE=reference: plans that compute in double precision on the CPU, with nothing to compile or
// tune.
#include <string>

#include "capi/backward_fixture.h"
#include "capi/fixtures.h"
#include "capi/gradient_check.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;

namespace {

ContextHandle reference_context() {
  attune_context_options options = ATTUNE_CONTEXT_OPTIONS_INIT;
  options.device = "reference";
  return make_context(options);
}

}  // namespace

TEST_CASE("the reference says what it is, and that it measured nothing") {
  const ContextHandle context = reference_context();
  attune_device_info info = ATTUNE_DEVICE_INFO_INIT;
  REQUIRE(attune_context_get_device_info(&info, context.get()) == ATTUNE_OK);
  CHECK(std::string(info.backend) == "reference");
  CHECK(info.multiprocessors >= 1);
  const PlanHandle plan = make_plan(context.get(), small_backward_desc());
  const char* config = nullptr;
  attune_match match = ATTUNE_MATCH_EXACT;
  size_t bytes = 1;
  CHECK(attune_plan_get_config(plan.get(), &config) == ATTUNE_OK);
  CHECK(std::string(config) == "reference");
  CHECK(attune_plan_get_match(plan.get(), &match) == ATTUNE_OK);
  CHECK(match == ATTUNE_MATCH_DEFAULT);
  CHECK(attune_plan_get_workspace_size(plan.get(), &bytes) == ATTUNE_OK);
  CHECK(bytes == 0);
  CHECK(attune_workspace_init(plan.get(), nullptr, 0, nullptr) == ATTUNE_OK);
}

TEST_CASE("the reference device computes forward, in every dtype, mask and layout") {
  const ContextHandle context = reference_context();
  for (const attune_dtype dtype : {ATTUNE_F16, ATTUNE_BF16, ATTUNE_F32}) {
    attune_attention_desc desc = small_desc();
    desc.dtype = dtype;
    desc.layout = dtype == ATTUNE_F16 ? ATTUNE_BSHD : ATTUNE_BHSD;
    desc.mask = dtype == ATTUNE_F32 ? ATTUNE_MASK_CAUSAL_TOP_LEFT : ATTUNE_MASK_CAUSAL;
    const PlanHandle plan = make_plan(context.get(), desc);
    for (const Forward::Shape shape : {Forward::Shape{2, 80, 96}, {1, 33, 7}, {2, 5, 0}}) {
      const Forward forward(context.get(), desc, shape);
      const attune_attention_args args = forward.args();
      REQUIRE(attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr) == ATTUNE_OK);
      const Comparison comparison = forward.compare(forward.read());
      INFO(comparison.reason);
      CHECK(comparison.ok);
    }
  }
}

TEST_CASE("the reference device computes gradients, each on request") {
  const ContextHandle context = reference_context();
  for (const attune_dtype dtype : {ATTUNE_BF16, ATTUNE_F32, ATTUNE_F64}) {
    attune_attention_desc desc = small_backward_desc();
    desc.dtype = dtype;
    const PlanHandle plan = make_plan(context.get(), desc);
    const Backward backward(context.get(), desc, {2, 33, 47});
    REQUIRE(backward.execute(plan.get()) == ATTUNE_OK);
    const Backward::Result all = backward.read();
    const Comparison comparison = backward.compare(all);
    INFO(comparison.reason);
    CHECK(comparison.ok);
    attune_attention_args only_dv = backward.args();
    only_dv.dq.data = only_dv.dk.data = nullptr;
    REQUIRE(backward.execute(plan.get(), only_dv) == ATTUNE_OK);
    CHECK(backward.read().same_bits(all));
  }
}

TEST_CASE("the reference device's gradients are those of its forward pass") {
  const ContextHandle context = reference_context();
  for (const attune_mask mask : {ATTUNE_MASK_NONE, ATTUNE_MASK_CAUSAL})
    check_differences(context.get(), mask);
}

TEST_CASE("strides are read: broadcast keys, and rows of a larger matrix") {
  const ContextHandle context = reference_context();
  attune_attention_desc desc = ATTUNE_ATTENTION_DESC_INIT;
  desc.dtype = ATTUNE_F32;
  desc.layout = ATTUNE_STRIDED;
  desc.heads_q = 2;
  desc.heads_kv = 1;
  desc.head_dim = 1;
  desc.max_batch = 1;
  desc.max_seqlen_q = 1;
  desc.max_seqlen_kv = 3;
  const PlanHandle plan = make_plan(context.get(), desc);
  const float one = 1, values[] = {3, -1, 6, -1, 9};
  float out[4] = {-1, -1, -1, -1};
  attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
  args.q = {const_cast<float*>(&one), {0, 0, 0, 1}};
  args.k = {const_cast<float*>(&one), {0, 0, 0, 1}};
  args.v = {const_cast<float*>(values), {0, 0, 2, 1}};
  args.o = {out, {0, 2, 0, 1}};
  REQUIRE(attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr) == ATTUNE_OK);
  CHECK(out[0] == Approx(6));  // the mean, since all scores are equal
  CHECK(out[1] == -1);
  CHECK(out[2] == Approx(6));
  CHECK(out[3] == -1);
}

TEST_CASE("what the reference device cannot do is refused with the reason") {
  const ContextHandle context = reference_context();
  const attune_attention_desc desc = small_desc();
  check_fails(attune_context_tune(context.get(), &desc, nullptr), ATTUNE_ERROR_UNSUPPORTED,
              {"reference", "nothing to tune"});
  const PlanHandle plan = make_plan(context.get(), desc);
  const Forward forward(context.get(), desc, {1, 3, 3});
  attune_attention_args args = forward.args();
  args.seqlen_q = 81;
  check_fails(attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr), ATTUNE_ERROR_CAPACITY,
              {"81", "80"});
  auto* const stream = reinterpret_cast<CUstream_st*>(0x1000);
  check_fails(attune_stream_synchronize(context.get(), stream), ATTUNE_ERROR_INVALID_ARGUMENT,
              {"reference has no streams"});
  args.seqlen_q = 3;
  check_fails(attune_plan_execute(plan.get(), &args, nullptr, 0, stream), ATTUNE_ERROR_INVALID_ARGUMENT,
              {"reference has no streams", "0x1000"});
  for (const uintptr_t own : {0, 1, 2}) {
    CHECK(attune_plan_execute(plan.get(), &args, nullptr, 0, reinterpret_cast<CUstream_st*>(own)) ==
          ATTUNE_OK);
  }
}

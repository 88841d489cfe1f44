// Backward through the C API: right for every length up to capacity, each gradient on request, the same bits
// at every call, and tuning that touches nothing of the caller's.
#include <string>

#include "capi/backward_fixture.h"
#include "capi/context.h"
#include "capi/gradient_check.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;

namespace {

void check_backward(attune_plan_t plan, const attune_attention_desc& desc, Forward::Shape shape) {
  CAPTURE(shape.batch, shape.seqlen_q, shape.seqlen_kv);
  const Backward backward(shared_context(), desc, shape);
  const attune_status status = backward.execute(plan);
  INFO(attune_last_error_message());
  REQUIRE(status == ATTUNE_OK);
  const Comparison comparison = backward.compare(backward.read());
  INFO(comparison.reason);
  CHECK(comparison.ok);
}

bool is_poisoned(const HostTensor& tensor) {
  HostTensor poison = tensor;
  poison.poison();
  return std::ranges::equal(poison.storage(), tensor.storage());
}

bool is_zero(const HostTensor& tensor) {
  return std::ranges::all_of(tensor.to_doubles(), [](double value) { return value == 0; });
}

}  // namespace

TEST_CASE("a bound too short to time any stage of backward still gives a plan that is right", "[simt]") {
  attune_context_options options = simt_options();
  options.tuning = ATTUNE_TUNING_FORCE;
  options.tuning_seconds = 1e-6;
  const ContextHandle context = make_context(options);
  const attune_attention_desc desc = small_backward_desc();
  const PlanHandle plan = make_plan(context.get(), desc);
  attune_match match = ATTUNE_MATCH_EXACT;
  REQUIRE(attune_plan_get_match(plan.get(), &match) == ATTUNE_OK);
  CHECK(match == ATTUNE_MATCH_DEFAULT);
  check_backward(plan.get(), desc, {1, 33, 65});
}

TEST_CASE("one backward plan serves all lengths up to its capacity", "[simt]") {
  for (const attune_mask mask : {ATTUNE_MASK_NONE, ATTUNE_MASK_CAUSAL}) {
    attune_attention_desc desc = small_backward_desc();
    desc.mask = mask;
    const PlanHandle plan = make_plan(shared_context(), desc);
    for (const Forward::Shape shape : {Forward::Shape{2, 80, 96}, {1, 3, 96}, {2, 80, 5}, {2, 65, 64}})
      check_backward(plan.get(), desc, shape);
  }
}

TEST_CASE("backward in the other dense layout and the other dtypes", "[simt]") {
  attune_attention_desc desc = small_backward_desc();
  desc.layout = ATTUNE_BSHD;
  for (const attune_dtype dtype : {ATTUNE_F16, ATTUNE_F32, ATTUNE_F64}) {
    desc.dtype = dtype;
    const PlanHandle plan = make_plan(shared_context(), desc);
    check_backward(plan.get(), desc, {2, 33, 47});
  }
}

TEST_CASE("each gradient is computed on request, with the same bits, and others are left alone", "[simt]") {
  for (const int64_t head_dim : {32, 160}) {  // dK and dV by the same block, and by separate ones
    attune_attention_desc desc = small_backward_desc();
    desc.head_dim = head_dim;
    const PlanHandle plan = make_plan(shared_context(), desc);
    const Forward::Shape shape{1, 20, 40};
    const Backward all(shared_context(), desc, shape);
    REQUIRE(all.execute(plan.get()) == ATTUNE_OK);
    const Backward::Result expected = all.read();
    for (const std::string wanted : {"dq", "dk", "dv", "dkdv"}) {
      INFO(wanted << " D = " << head_dim);
      const Backward one(shared_context(), desc, shape);
      attune_attention_args args = one.args();
      Backward::Result result = expected;
      const auto leave = [&](const char* name, attune_tensor& tensor,
                             HostTensor Backward::Result::*gradient) {
        if (wanted.find(name) != std::string::npos) return;
        tensor.data = nullptr;
        (result.*gradient).poison();
      };
      leave("dq", args.dq, &Backward::Result::dq);
      leave("dk", args.dk, &Backward::Result::dk);
      leave("dv", args.dv, &Backward::Result::dv);
      REQUIRE(one.execute(plan.get(), args) == ATTUNE_OK);
      CHECK(one.read().same_bits(result));
    }
  }
}

TEST_CASE("without dlse its gradient is zero", "[simt]") {
  const attune_attention_desc desc = small_backward_desc();
  const PlanHandle plan = make_plan(shared_context(), desc);
  const Backward backward(shared_context(), desc, {1, 20, 40});
  REQUIRE(backward.execute(plan.get()) == ATTUNE_OK);
  const Backward::Result with = backward.read();
  attune_attention_args args = backward.args();
  args.dlse = nullptr;
  REQUIRE(backward.execute(plan.get(), args) == ATTUNE_OK);
  const Backward::Result without = backward.read();
  CHECK_FALSE(std::ranges::equal(with.dq.storage(), without.dq.storage()));
  CHECK(std::ranges::equal(with.dv.storage(), without.dv.storage()));  // V has no part in LSE
}

TEST_CASE("gradients in f64 equal fourth-order differences of the forward pass", "[simt]") {
  for (const attune_mask mask : {ATTUNE_MASK_NONE, ATTUNE_MASK_CAUSAL})
    check_differences(shared_context(), mask);
}

TEST_CASE("backward without sequences, queries or keys", "[simt]") {
  const attune_attention_desc desc = small_backward_desc();
  const PlanHandle plan = make_plan(shared_context(), desc);
  attune_attention_args empty = ATTUNE_ATTENTION_ARGS_INIT;  // without any address
  empty.batch = 0;
  const Backward backward(shared_context(), desc, {2, 7, 9});
  CHECK(backward.execute(plan.get(), empty) == ATTUNE_OK);

  attune_attention_args args = backward.args();
  args.seqlen_q = 0;
  args.q.data = args.o.data = args.dout.data = args.dq.data = args.lse = nullptr;
  args.dlse = nullptr;
  CHECK(backward.execute(plan.get(), args) == ATTUNE_OK);
  CHECK(is_poisoned(backward.read().dq));
  CHECK(is_zero(backward.read().dk));
  CHECK(is_zero(backward.read().dv));

  const Backward other(shared_context(), desc, {2, 7, 9});
  args = other.args();
  args.seqlen_kv = 0;
  args.k.data = args.v.data = args.dk.data = args.dv.data = nullptr;
  CHECK(other.execute(plan.get(), args) == ATTUNE_OK);
  CHECK(is_zero(other.read().dq));
  CHECK(is_poisoned(other.read().dk));
}

TEST_CASE("the first call of a backward plan equals the twentieth, bit for bit", "[simt]") {
  for (const uint64_t flags : {uint64_t{0}, uint64_t{ATTUNE_PLAN_DETERMINISTIC}}) {
    attune_attention_desc desc = small_backward_desc();
    desc.flags = flags;
    desc.mask = ATTUNE_MASK_CAUSAL;
    const PlanHandle plan = make_plan(shared_context(), desc);
    const Backward backward(shared_context(), desc, {1, 70, 33});
    REQUIRE(backward.execute(plan.get()) == ATTUNE_OK);
    const Backward::Result first = backward.read();
    for (int call = 2; call <= 20; ++call)
      REQUIRE(backward.execute(plan.get()) == ATTUNE_OK);
    CHECK(backward.read().same_bits(first));
  }
}

TEST_CASE("a backward plan tells the configs of its stages, and a workspace for its capacity", "[simt]") {
  const attune_attention_desc desc = small_backward_desc();
  const PlanHandle plan = make_plan(shared_context(), desc);
  const char* config = nullptr;
  REQUIRE(attune_plan_get_config(plan.get(), &config) == ATTUNE_OK);
  CHECK(std::string(config).find("flash_bwd_delta WARPS=") == 0);
  CHECK(std::string(config).find("; flash_bwd_dkv BLOCK_M=") != std::string::npos);
  CHECK(std::string(config).find("; flash_bwd_dq BLOCK_M=") != std::string::npos);
  size_t bytes = 0;
  REQUIRE(attune_plan_get_workspace_size(plan.get(), &bytes) == ATTUNE_OK);
  CHECK(bytes == 2 * 4 * 128 * 2 * sizeof(float));  // 80 rows are padded to 128

  attune_match match = ATTUNE_MATCH_EXACT;
  REQUIRE(attune_plan_get_match(plan.get(), &match) == ATTUNE_OK);
  CHECK(match == ATTUNE_MATCH_DEFAULT);
  uint64_t fingerprint = 0, same = 0, forward = 0;
  REQUIRE(attune_plan_get_fingerprint(plan.get(), &fingerprint) == ATTUNE_OK);
  REQUIRE(attune_plan_get_fingerprint(make_plan(shared_context(), desc).get(), &same) == ATTUNE_OK);
  REQUIRE(attune_plan_get_fingerprint(make_plan(shared_context(), small_desc()).get(), &forward) ==
          ATTUNE_OK);
  CHECK(fingerprint == same);
  CHECK(fingerprint != forward);
}

TEST_CASE("tuning backward tunes each stage, and touches nothing of the caller's", "[simt]") {
  attune_context_options options = simt_options();
  const ContextHandle context = make_context(options);
  attune_attention_desc desc = small_backward_desc();
  desc.head_dim = 8;
  desc.max_batch = desc.heads_q = desc.heads_kv = 1;
  desc.max_seqlen_q = desc.max_seqlen_kv = 16;
  const Backward backward(context.get(), desc, {1, 16, 16});
  attune_tune_options bounds = ATTUNE_TUNE_OPTIONS_INIT;
  bounds.seconds = 12;
  const attune_status status = attune_context_tune(context.get(), &desc, &bounds);
  INFO(attune_last_error_message());
  REQUIRE(status == ATTUNE_OK);
  const Backward::Result untouched = backward.read();
  CHECK((is_poisoned(untouched.dq) && is_poisoned(untouched.dk) && is_poisoned(untouched.dv)));

  const PlanHandle plan = make_plan(context.get(), desc);
  attune_match match = ATTUNE_MATCH_DEFAULT;
  REQUIRE(attune_plan_get_match(plan.get(), &match) == ATTUNE_OK);
  CHECK(match == ATTUNE_MATCH_EXACT);
  for (const Record& record : context->database->records()) {
    INFO(record.static_key << " " << record.config << ": " << name_of(record.outcome) << " "
                           << record.reason);
    CHECK(record.static_key.find("backward_") == 0);
    CHECK((record.outcome == Outcome::ok || record.outcome == Outcome::over_budget));
  }
  REQUIRE(backward.execute(plan.get()) == ATTUNE_OK);
  CHECK(backward.compare(backward.read()).ok);
}

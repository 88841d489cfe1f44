// Executions through the C API: every length up to capacity, empty ones, several threads, both dense layouts.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>

#include "capi/fixtures.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;

namespace {

void check_forward(attune_context_t context, attune_plan_t plan, const attune_attention_desc& desc,
                   Forward::Shape shape) {
  CAPTURE(shape.batch, shape.seqlen_q, shape.seqlen_kv);
  const Forward forward(context, desc, shape);
  const attune_attention_args args = forward.args();
  REQUIRE(attune_plan_execute(plan, &args, nullptr, 0, nullptr) == ATTUNE_OK);
  const Comparison comparison = forward.compare(forward.read());
  INFO(comparison.reason);
  CHECK(comparison.ok);
}

bool same_bits(const Forward::Result& a, const Forward::Result& b) {
  return std::ranges::equal(a.o.storage(), b.o.storage()) && a.lse.size() == b.lse.size() &&
         std::memcmp(a.lse.data(), b.lse.data(), a.lse.size() * sizeof(float)) == 0;
}

}  // namespace

TEST_CASE("one plan serves all lengths up to its capacity", "[simt]") {
  for (const attune_mask mask : {ATTUNE_MASK_NONE, ATTUNE_MASK_CAUSAL}) {
    attune_attention_desc desc = small_desc();
    desc.mask = mask;
    const PlanHandle plan = make_plan(shared_context(), desc);
    for (const Forward::Shape shape :
         {Forward::Shape{2, 80, 96}, {1, 1, 1}, {1, 3, 96}, {2, 80, 5}, {2, 65, 64}}) {
      check_forward(shared_context(), plan.get(), desc, shape);
    }
  }
}

TEST_CASE("ATTUNE_SAME_AS_PLAN means the capacity", "[simt]") {
  const attune_attention_desc desc = small_desc();
  const PlanHandle plan = make_plan(shared_context(), desc);
  const Forward forward(shared_context(), desc, {2, 80, 96});
  attune_attention_args args = forward.args();
  args.batch = args.seqlen_q = args.seqlen_kv = ATTUNE_SAME_AS_PLAN;
  REQUIRE(attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr) == ATTUNE_OK);
  CHECK(forward.compare(forward.read()).ok);
}

TEST_CASE("the other dense layout and the other dtypes", "[simt]") {
  attune_attention_desc desc = small_desc();
  desc.layout = ATTUNE_BSHD;
  for (const attune_dtype dtype : {ATTUNE_F16, ATTUNE_F32}) {
    desc.dtype = dtype;
    const PlanHandle plan = make_plan(shared_context(), desc);
    check_forward(shared_context(), plan.get(), desc, {2, 33, 47});
  }
}

TEST_CASE("no sequences or no queries: success, and nothing is touched", "[simt]") {
  const attune_attention_desc desc = small_desc();
  const PlanHandle plan = make_plan(shared_context(), desc);
  const Forward forward(shared_context(), desc, {2, 7, 9});
  const Forward::Result before = forward.read();
  attune_attention_args args = forward.args();
  args.batch = 0;
  CHECK(attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr) == ATTUNE_OK);
  args = forward.args();
  args.seqlen_q = 0;
  CHECK(attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr) == ATTUNE_OK);
  CHECK(same_bits(forward.read(), before));

  attune_attention_args empty = ATTUNE_ATTENTION_ARGS_INIT;  // without any address
  empty.batch = 0;
  CHECK(attune_plan_execute(plan.get(), &empty, nullptr, 0, nullptr) == ATTUNE_OK);
}

TEST_CASE("no keys: o = 0 and lse = -inf", "[simt]") {
  const attune_attention_desc desc = small_desc();
  const PlanHandle plan = make_plan(shared_context(), desc);
  const Forward forward(shared_context(), desc, {2, 7, 9});
  attune_attention_args args = forward.args();
  args.seqlen_kv = 0;
  args.k.data = args.v.data = nullptr;
  REQUIRE(attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr) == ATTUNE_OK);
  const Forward::Result result = forward.read();
  CHECK(std::ranges::all_of(result.o.to_doubles(), [](double value) { return value == 0; }));
  CHECK(std::ranges::all_of(result.lse, [](float value) { return std::isinf(value) && value < 0; }));
}

TEST_CASE("a plan without capacity can be made and executed", "[simt]") {
  attune_attention_desc desc = small_desc();
  desc.max_batch = desc.max_seqlen_q = desc.max_seqlen_kv = 0;
  const PlanHandle plan = make_plan(shared_context(), desc);
  const attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
  CHECK(attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr) == ATTUNE_OK);
}

TEST_CASE("threads execute one plan at once", "[simt]") {
  const attune_attention_desc desc = small_desc();
  const PlanHandle plan = make_plan(shared_context(), desc);
  constexpr int kThreads = 4, kRepeats = 3;
  std::vector<std::unique_ptr<Forward>> forwards;
  std::vector<Forward::Result> alone;
  for (int i = 0; i < kThreads; ++i) {
    forwards.push_back(std::make_unique<Forward>(shared_context(), desc, Forward::Shape{2, 40 + i, 50 - i},
                                                 static_cast<uint64_t>(i)));
    const attune_attention_args args = forwards.back()->args();
    REQUIRE(attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr) == ATTUNE_OK);
    alone.push_back(forwards.back()->read());
    CHECK(forwards.back()->compare(alone.back()).ok);
  }
  std::vector<int> failures(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const attune_attention_args args = forwards[static_cast<size_t>(i)]->args();
      for (int repeat = 0; repeat < kRepeats; ++repeat) {
        failures[static_cast<size_t>(i)] +=
            attune_plan_execute(plan.get(), &args, nullptr, 0, nullptr) != ATTUNE_OK;
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  for (size_t i = 0; i < kThreads; ++i) {
    CHECK(failures[i] == 0);
    CHECK(same_bits(forwards[i]->read(), alone[i]));
  }
}

TEST_CASE("threads create the same plan at once: one compilation", "[simt]") {
  attune_context_options options = simt_options();
  LogCapture capture;
  capture.attach(options, ATTUNE_LOG_DEBUG);
  const ContextHandle context = make_context(options);
  std::vector<PlanHandle> plans(4);
  std::vector<std::thread> threads;
  for (PlanHandle& plan : plans) {
    threads.emplace_back([&] {
      const attune_attention_desc desc = small_desc();
      attune_plan_t made = nullptr;
      if (attune_plan_create(&made, context.get(), &desc) == ATTUNE_OK) plan.reset(made);
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  for (const PlanHandle& plan : plans) {
    REQUIRE(plan);
    check_forward(context.get(), plan.get(), small_desc(), {1, 9, 11});
  }
}

TEST_CASE("a plan says how it was found", "[simt]") {
  const PlanHandle plan = make_plan(shared_context(), small_desc());
  const char* config = nullptr;
  attune_match match = ATTUNE_MATCH_EXACT;
  REQUIRE(attune_plan_get_config(plan.get(), &config) == ATTUNE_OK);
  REQUIRE(attune_plan_get_match(plan.get(), &match) == ATTUNE_OK);
  CHECK(std::string(config).find("flash_fwd BLOCK_M=") == 0);
  CHECK(match == ATTUNE_MATCH_DEFAULT);
}

// Decoding through the C API: plans whose forward pass wants a workspace, and does without one.
#include <algorithm>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "capi/fixtures.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;

namespace {

constexpr Forward::Shape kCapacity{2, 4, 1500};

attune_attention_desc decode_desc() {
  attune_attention_desc desc = small_desc();
  desc.mask = ATTUNE_MASK_CAUSAL;
  desc.heads_q = 8;
  desc.heads_kv = 2;
  desc.head_dim = 64;
  desc.max_batch = kCapacity.batch;
  desc.max_seqlen_q = kCapacity.seqlen_q;
  desc.max_seqlen_kv = kCapacity.seqlen_kv;
  return desc;
}

// A plan with a workspace of its own: memory that holds anything.
struct Decoding {
  attune_context_t context;
  PlanHandle plan;
  size_t bytes = 0;
  std::optional<DeviceMemory> memory;

  explicit Decoding(attune_context_t context) : context(context), plan(make_plan(context, decode_desc())) {
    const char* config = nullptr;
    REQUIRE(attune_plan_get_config(plan.get(), &config) == ATTUNE_OK);
    REQUIRE(std::string(config).starts_with("flash_decode "));
    REQUIRE(attune_plan_get_workspace_size(plan.get(), &bytes) == ATTUNE_OK);
    REQUIRE(bytes > 0);
    memory.emplace(context, bytes);
    const std::vector<std::byte> anything(bytes, std::byte{0xff});
    REQUIRE(attune_memory_copy(context, memory->data(), anything.data(), bytes) == ATTUNE_OK);
  }

  Forward::Result run(const Forward& forward, void* workspace) const {
    const attune_attention_args args = forward.args();
    CHECK(attune_plan_execute(plan.get(), &args, workspace, workspace ? bytes : 0, nullptr) == ATTUNE_OK);
    Forward::Result result = forward.read();
    const Comparison comparison = forward.compare(result);
    INFO(comparison.reason);
    CHECK(comparison.ok);
    return result;
  }
};

bool same_bits(const Forward::Result& a, const Forward::Result& b) {
  return std::ranges::equal(a.o.storage(), b.o.storage()) && a.lse == b.lse;
}

}  // namespace

TEST_CASE("decoding leaves its workspace as it found it, at every length", "[simt]") {
  const Decoding decoding(shared_context());
  for (const Forward::Shape shape :
       {kCapacity, Forward::Shape{1, 1, 1500}, {2, 3, 0}, {1, 4, 3}, {2, 1, 700}, {1, 2, 257}}) {
    CAPTURE(shape.batch, shape.seqlen_q, shape.seqlen_kv);
    const Forward forward(shared_context(), decode_desc(), shape);
    const Forward::Result first = decoding.run(forward, decoding.memory->data());
    CHECK(same_bits(decoding.run(forward, decoding.memory->data()), first));
  }
}

TEST_CASE("decoding does without a workspace, too, with the same arguments as before", "[simt]") {
  const Decoding decoding(shared_context());
  const Forward forward(shared_context(), decode_desc(), kCapacity);
  const Forward::Result with = decoding.run(forward, decoding.memory->data());
  // Nor is there anything to prepare then: callers of forward plans that have no workspace work as they are.
  CHECK(attune_workspace_init(decoding.plan.get(), nullptr, 0, nullptr) == ATTUNE_OK);
  const Forward::Result without = decoding.run(forward, nullptr);
  CHECK(same_bits(decoding.run(forward, nullptr), without));
  CHECK(same_bits(decoding.run(forward, decoding.memory->data()), with));
  // Another workspace gives the same bits.
  const DeviceMemory other(shared_context(), decoding.bytes);
  REQUIRE(attune_workspace_init(decoding.plan.get(), other.data(), decoding.bytes, nullptr) == ATTUNE_OK);
  CHECK(same_bits(decoding.run(forward, other.data()), with));
}

TEST_CASE("a workspace for decoding that is given is large enough and aligned", "[simt]") {
  const Decoding decoding(shared_context());
  const Forward forward(shared_context(), decode_desc(), kCapacity);
  const attune_attention_args args = forward.args();
  auto* const memory = static_cast<std::byte*>(decoding.memory->data());
  check_fails(attune_plan_execute(decoding.plan.get(), &args, memory, decoding.bytes - 1, nullptr),
              ATTUNE_ERROR_WORKSPACE, {"are needed"});
  check_fails(attune_plan_execute(decoding.plan.get(), &args, memory + 16, decoding.bytes, nullptr),
              ATTUNE_ERROR_WORKSPACE, {"256"});
  check_fails(attune_workspace_init(decoding.plan.get(), memory, decoding.bytes - 1, nullptr),
              ATTUNE_ERROR_WORKSPACE, {"are needed"});
}

TEST_CASE("threads decode at once, each with its own workspace", "[simt]") {
  const Decoding mine(shared_context()), other(shared_context());
  const Forward forward(shared_context(), decode_desc(), kCapacity, 1),
      forward_of_other(shared_context(), decode_desc(), kCapacity, 2);
  const auto execute = [](const Decoding& decoding, const Forward& forward) {
    const attune_attention_args args = forward.args();
    return attune_plan_execute(decoding.plan.get(), &args, decoding.memory->data(), decoding.bytes, nullptr);
  };
  attune_status status = ATTUNE_OK;
  std::thread thread([&] { status = execute(other, forward_of_other); });
  CHECK(execute(mine, forward) == ATTUNE_OK);
  thread.join();
  CHECK(status == ATTUNE_OK);
  CHECK(forward.compare(forward.read()).ok);
  CHECK(forward_of_other.compare(forward_of_other.read()).ok);
}

TEST_CASE("ATTUNE_CHECK sees a workspace for decoding that overlaps a tensor", "[simt]") {
  attune_context_options options = simt_options();
  options.check = 1;
  const ContextHandle context = make_context(options);
  const Decoding decoding(context.get());
  const Forward forward(context.get(), decode_desc(), kCapacity);
  decoding.run(forward, decoding.memory->data());
  decoding.run(forward, nullptr);
  attune_attention_args args = forward.args();
  args.o.data = decoding.memory->data();
  check_fails(
      attune_plan_execute(decoding.plan.get(), &args, decoding.memory->data(), decoding.bytes, nullptr),
      ATTUNE_ERROR_INVALID_ARGUMENT, {"o and the workspace overlap"});
}

namespace {

// As many sequences as leave each place of the emulated device one tile, or a few, whose keys are divided.
constexpr Forward::Shape kFull{60, 1, 520}, kOne{1, 1, 520};

attune_attention_desc full_desc(uint64_t flags) {
  attune_attention_desc desc = decode_desc();
  desc.heads_q = desc.heads_kv = 8;
  desc.max_batch = kFull.batch;
  desc.max_seqlen_q = kFull.seqlen_q;
  desc.max_seqlen_kv = kFull.seqlen_kv;
  desc.flags = flags;
  return desc;
}

// Whether the first of many sequences has the same bits when it is alone.
bool same_alone(uint64_t flags) {
  const attune_attention_desc desc = full_desc(flags);
  const PlanHandle plan = make_plan(shared_context(), desc);
  size_t bytes = 0;
  REQUIRE(attune_plan_get_workspace_size(plan.get(), &bytes) == ATTUNE_OK);
  REQUIRE(bytes > 0);
  const DeviceMemory memory(shared_context(), bytes);
  REQUIRE(attune_workspace_init(plan.get(), memory.data(), bytes, nullptr) == ATTUNE_OK);
  const Forward forward(shared_context(), desc, kFull);
  attune_attention_args args = forward.args();
  REQUIRE(attune_plan_execute(plan.get(), &args, memory.data(), bytes, nullptr) == ATTUNE_OK);
  const Forward::Result all = forward.read();
  args.batch = kOne.batch;  // again, over its result
  REQUIRE(attune_plan_execute(plan.get(), &args, memory.data(), bytes, nullptr) == ATTUNE_OK);
  return same_bits(forward.read(), all);
}

// The config, and the hash.
std::pair<std::string, uint64_t> fingerprint_of(const attune_attention_desc& desc) {
  const PlanHandle plan = make_plan(shared_context(), desc);
  const char* config = nullptr;
  uint64_t fingerprint = 0;
  REQUIRE(attune_plan_get_config(plan.get(), &config) == ATTUNE_OK);
  REQUIRE(attune_plan_get_fingerprint(plan.get(), &fingerprint) == ATTUNE_OK);
  return {config, fingerprint};
}

}  // namespace

TEST_CASE("with one config for all lengths decoding gives a sequence the same bits in any batch", "[simt]") {
  CHECK(same_alone(ATTUNE_PLAN_SINGLE_CONFIG));
  CHECK_FALSE(same_alone(0));  // fewer blocks share keys where there are more sequences
}

TEST_CASE("where the capacity decides how keys are divided, it is part of the fingerprint", "[simt]") {
  const auto fingerprints = [](uint64_t flags) {
    attune_attention_desc fewer = full_desc(flags), longer = fewer;
    --fewer.max_batch;
    ++longer.max_seqlen_kv;  // decides nothing: the keys of each execute do
    const auto full = fingerprint_of(full_desc(flags)), of_fewer = fingerprint_of(fewer);
    REQUIRE(of_fewer.first == full.first);
    CHECK(fingerprint_of(longer) == full);
    return std::pair(full.second, of_fewer.second);
  };
  const auto [pinned, pinned_fewer] = fingerprints(ATTUNE_PLAN_SINGLE_CONFIG);
  CHECK(pinned != pinned_fewer);
  const auto [free, free_fewer] = fingerprints(0);
  CHECK(free == free_fewer);
}

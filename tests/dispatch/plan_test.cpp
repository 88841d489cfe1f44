// Plan::execute on the fake device: the right launch for the caller's tensors, or an error and no launch.
#include "dispatch/plan.h"

#include "dispatch/planner.h"
#include "reference/compare.h"
#include "reference/naive.h"
#include "support/catch.h"
#include "support/caught.h"
#include "support/tuning_bench.h"

using namespace attune;

namespace {

const Problem kCapacity{.dtype = DType::bf16,
                        .layout = Layout::strided,
                        .mask = Mask::causal,
                        .batch = 3,
                        .heads_q = 4,
                        .heads_kv = 2,
                        .seqlen_q = 130,
                        .seqlen_kv = 150,
                        .head_dim = 32,
                        .head_dim_v = 32};

struct PlanBench : TuningBench {
  std::unique_ptr<Plan> plan(const Problem& capacity) {
    const PlannerResources resources{backend, templates, *images, *modules, {database.get()}, {}, log};
    return make_plan(capacity, resources, TuningPolicy::off, {});
  }
};

// Inputs and outputs of one execution, between NaNs when the layout has room for them.
struct Tensors {
  Tensors(const Problem& actual, Layout layout)
      : q(make(actual, actual.heads_q, actual.seqlen_q, layout)),
        k(make(actual, actual.heads_kv, actual.seqlen_kv, layout)),
        v(make(actual, actual.heads_kv, actual.seqlen_kv, layout)),
        o(make(actual, actual.heads_q, actual.seqlen_q, layout)),
        lse(static_cast<size_t>(actual.batch * actual.heads_q * actual.seqlen_q), -7) {
    q.fill_random(1), k.fill_random(2), v.fill_random(3);
    o.poison();
  }

  static HostTensor make(const Problem& actual, int64_t heads, int64_t rows, Layout layout) {
    const bool is_padded = layout == Layout::strided;
    return HostTensor(actual.dtype, {actual.batch, heads, rows, actual.head_dim},
                      layout == Layout::bshd ? Layout::bshd : Layout::bhsd,
                      is_padded ? TensorPadding::fenced(actual.dtype) : TensorPadding{});
  }

  attune_attention_args args() {
    attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
    const std::pair<attune_tensor*, HostTensor*> pairs[] = {
        {&args.q, &q}, {&args.k, &k}, {&args.v, &v}, {&args.o, &o}};
    for (const auto& [tensor, host] : pairs) {
      const TensorView view = host->view();
      tensor->data = view.data;
      std::copy_n(view.stride.begin(), 4, tensor->stride);
    }
    args.lse = lse.data();
    args.batch = q.batch(), args.seqlen_q = q.rows(), args.seqlen_kv = k.rows();
    return args;
  }

  Comparison compare(Mask mask, std::optional<float> scale = std::nullopt) const {
    const AttentionInputs inputs{q, k, v, mask, scale};
    const std::vector<double> got(lse.begin(), lse.end());
    return compare_attention(o, got, reference_attention(inputs), naive_attention(inputs));
  }

  HostTensor q, k, v, o;
  std::vector<float> lse;
};

Problem resized(Problem problem, int64_t batch, int64_t seqlen_q, int64_t seqlen_kv) {
  problem.batch = batch, problem.seqlen_q = seqlen_q, problem.seqlen_kv = seqlen_kv;
  return problem;
}

}  // namespace

TEST_CASE("one plan is right for every layout and for all lengths up to its capacity") {
  PlanBench bench;
  for (const Layout layout : {Layout::bhsd, Layout::bshd, Layout::strided}) {
    Problem capacity = kCapacity;
    capacity.layout = layout;
    const auto plan = bench.plan(capacity);
    for (const auto& [batch, nq, nk] : {std::tuple{3, 130, 150}, {1, 1, 150}, {2, 97, 3}, {3, 64, 64}}) {
      INFO(name_of(layout) << " " << batch << " x " << nq << " x " << nk);
      Tensors tensors(resized(capacity, batch, nq, nk), layout);
      plan->execute(tensors.args(), nullptr, 0, nullptr);
      const Comparison comparison = tensors.compare(capacity.mask);
      CHECK(comparison.reason == "");
      CHECK(comparison.ok);
      if (layout == Layout::strided) CHECK(tensors.o.margins_intact());
    }
  }
}

TEST_CASE("execute passes the caller's scale and an absent lse on") {
  PlanBench bench;
  const auto plan = bench.plan(kCapacity);
  Tensors tensors(resized(kCapacity, 2, 30, 40), Layout::strided);
  attune_attention_args args = tensors.args();
  args.scale = 0.5;
  plan->execute(args, nullptr, 0, nullptr);
  CHECK(tensors.compare(kCapacity.mask, 0.5f).ok);
  CHECK_FALSE(tensors.compare(kCapacity.mask).ok);
  std::ranges::fill(tensors.lse, -7.0f);
  args.lse = nullptr;
  plan->execute(args, nullptr, 0, nullptr);
  CHECK(std::ranges::count(tensors.lse, -7.0f) == std::ssize(tensors.lse));
  REQUIRE(bench.backend.last_launch.has_value());
  CHECK(bench.backend.last_launch->region_count == 4);
}

TEST_CASE("execute with the same arguments again computes again, from what the tensors hold by then") {
  PlanBench bench;
  const auto plan = bench.plan(kCapacity);
  Tensors tensors(resized(kCapacity, 2, 30, 40), Layout::strided);
  const Launch* places[3];
  for (int i = 0; i < 3; ++i) {
    tensors.v.fill_random(11 + i);
    plan->execute(tensors.args(), nullptr, 0, nullptr);
    CHECK(tensors.compare(kCapacity.mask).ok);
    places[i] = bench.backend.launched;
  }
  CHECK(bench.backend.launches == 3);
  CHECK(places[0] != places[1]);  // packed for the first, remembered by the plan for the others
  CHECK(places[1] == places[2]);
  // A remembered launch is no excuse for what has become wrong.
  attune_attention_args args = tensors.args();
  args.q.stride[3] = 2;
  CHECK(caught([&] { plan->execute(args, nullptr, 0, nullptr); }).status == ATTUNE_ERROR_INVALID_ARGUMENT);
  CHECK(bench.backend.launches == 3);
}

TEST_CASE("without keys the output is zero and lse is -infinity") {
  PlanBench bench;
  const auto plan = bench.plan(kCapacity);
  Tensors tensors(resized(kCapacity, 2, 30, 0), Layout::strided);
  plan->execute(tensors.args(), nullptr, 0, nullptr);
  const std::vector<double> o = tensors.o.to_doubles();
  CHECK(std::ranges::count(o, 0.0) == std::ssize(o));
  CHECK(std::ranges::count(tensors.lse, -std::numeric_limits<float>::infinity()) == std::ssize(tensors.lse));
}

TEST_CASE("no sequences or no rows succeed without a launch") {
  PlanBench bench;
  const auto plan = bench.plan(kCapacity);
  attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;  // not even pointers
  args.batch = 0;
  plan->execute(args, nullptr, 0, nullptr);
  args.batch = 2, args.seqlen_q = 0;
  plan->execute(args, nullptr, 0, nullptr);
  CHECK(bench.backend.launches == 0);
  args.seqlen_q = 131;  // but the lengths are checked
  CHECK(caught([&] { plan->execute(args, nullptr, 0, nullptr); }).status == ATTUNE_ERROR_CAPACITY);
}

TEST_CASE("a refused execute launches nothing and writes nothing") {
  PlanBench bench;
  const auto plan = bench.plan(kCapacity);
  Tensors tensors(resized(kCapacity, 2, 30, 40), Layout::strided);
  attune_attention_args args = tensors.args();
  args.seqlen_kv = 151;
  CHECK(caught([&] { plan->execute(args, nullptr, 0, nullptr); }) ==
        Caught{ATTUNE_ERROR_CAPACITY, "seqlen_kv = 151 is more than the plan's capacity of 150"});
  CHECK(bench.backend.launches == 0);
  CHECK(std::ranges::count(tensors.lse, -7.0f) == std::ssize(tensors.lse));
}

TEST_CASE("the workspace is checked before anything else") {
  PlanBench bench;
  const auto plan = bench.plan(kCapacity);
  CHECK(plan->workspace_bytes() == 0);
  alignas(256) static std::byte memory[512];
  CHECK(caught([&] { check_workspace(0, nullptr, 0); }) == Caught{});
  CHECK(caught([&] { check_workspace(512, memory, 512); }) == Caught{});
  CHECK(caught([&] { check_workspace(1024, memory, 512); }).message.find("of 512 bytes, 1024 are needed") !=
        std::string::npos);
  CHECK(caught([&] { check_workspace(1024, nullptr, 2048); }).status == ATTUNE_ERROR_WORKSPACE);
  const Caught misaligned = caught([&] { check_workspace(256, memory + 16, 256); });
  CHECK(misaligned ==
        Caught{ATTUNE_ERROR_WORKSPACE, fmt::format("workspace {:#x} is not aligned to 256 bytes",
                                                   reinterpret_cast<uintptr_t>(memory + 16))});
  Tensors tensors(resized(kCapacity, 1, 8, 8), Layout::strided);
  CHECK(caught([&] { plan->execute(tensors.args(), memory + 16, 256, nullptr); }) == misaligned);
  CHECK(bench.backend.launches == 0);
}

TEST_CASE("a launch that fails is the caller's to hear of") {
  PlanBench bench;
  const auto plan = bench.plan(kCapacity);
  bench.backend.script.otherwise.fault = Fault::does_not_launch;
  Tensors tensors(resized(kCapacity, 1, 8, 8), Layout::strided);
  CHECK(caught([&] { plan->execute(tensors.args(), nullptr, 0, nullptr); }) ==
        Caught{ATTUNE_ERROR_LAUNCH_FAILED, "cannot be launched, as scripted"});
}

TEST_CASE(
    "fingerprints are equal for plans that give equal bits, and differ with the config, image and device") {
  PlanBench bench;
  const uint64_t fingerprint = bench.plan(kCapacity)->fingerprint();
  CHECK(fingerprint != 0);
  CHECK(bench.plan(kCapacity)->fingerprint() == fingerprint);
  PlanBench other_process;
  CHECK(other_process.plan(kCapacity)->fingerprint() == fingerprint);

  const auto kernel = [&](const Config& config, const std::string& image_hash) {
    return PlannedKernel{find_family("flash_fwd"), config, image_hash, nullptr};
  };
  const Config config = flash_config(64, 32, 4, 1, 0), other = flash_config(64, 64, 4, 1, 0);
  const auto of = [&](KernelTable table, Match match = Match::exact) {
    return Plan(kCapacity, std::move(table), bench.backend, {match, false}).fingerprint();
  };
  const LengthClass decode{1, 64, "<1"}, longer{1, 128, "<1"};
  std::vector<uint64_t> all = {
      of({{kernel(config, "aa")}, {}}),
      of({{kernel(other, "aa")}, {}}),
      of({{kernel(config, "ab")}, {}}),
      of({{kernel(config, "aa"), kernel(other, "aa")}, {{decode, 1}}}),
      of({{kernel(config, "aa"), kernel(other, "aa")}, {{longer, 1}}}),
      of({{kernel(other, "aa"), kernel(config, "aa")}, {{decode, 1}}}),
  };
  // How the config was found is no matter of bits.
  CHECK(of({{kernel(config, "aa")}, {}}, Match::near) == all[0]);
  bench.backend.spec.multiprocessors = 78;
  all.push_back(of({{kernel(config, "aa")}, {}}));
  std::ranges::sort(all);
  CHECK(std::ranges::adjacent_find(all) == all.end());
}

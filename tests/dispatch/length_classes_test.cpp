// Plans that hold several configs, and which lengths take which.
#include "dispatch/length_classes.h"

#include "dispatch/planner_bench.h"
#include "support/catch.h"

using namespace attune;

namespace {

const Config kDecode = flash_config(64, 32, 4, 1, 0);
const Config kShort = flash_config(64, 64, 4, 1, 0);

const Problem kCapacity{.dtype = DType::bf16,
                        .mask = Mask::causal,
                        .batch = 2,
                        .heads_q = 2,
                        .heads_kv = 1,
                        .seqlen_q = 256,
                        .seqlen_kv = 256,
                        .head_dim = 32,
                        .head_dim_v = 32};

Problem actual(int64_t batch, int64_t seqlen_q, int64_t seqlen_kv) {
  Problem problem = kCapacity;
  problem.batch = batch, problem.seqlen_q = seqlen_q, problem.seqlen_kv = seqlen_kv;
  return problem;
}

// Runs the plan, and says by the launch which config it took: rows of its tiles, threads, shared memory.
struct Executed {
  uint32_t grid, block, shared_bytes;
  bool operator==(const Executed&) const = default;
};

Executed execute(PlannerBench& bench, const Plan& plan, const Problem& lengths) {
  const auto elements = [&](int64_t heads, int64_t rows) {
    return static_cast<size_t>(lengths.batch * heads * rows * lengths.head_dim);
  };
  // 16-byte aligned, and zero in bf16.
  std::vector<std::max_align_t> q(elements(2, lengths.seqlen_q) / 8 + 1),
      k(elements(1, lengths.seqlen_kv) / 8 + 1), v(k.size()), o(q.size());
  attune_attention_args args = ATTUNE_ATTENTION_ARGS_INIT;
  args.q.data = q.data(), args.k.data = k.data(), args.v.data = v.data(), args.o.data = o.data();
  args.batch = lengths.batch, args.seqlen_q = lengths.seqlen_q, args.seqlen_kv = lengths.seqlen_kv;
  plan.execute(args, nullptr, 0, nullptr);
  const Launch& launch = bench.backend.last_launch.value();
  return {launch.grid, launch.block, launch.shared_bytes};
}

// What a config's launch looks like for these lengths.
Executed expected(const Config& config, const Problem& lengths) {
  const auto tiles =
      static_cast<uint32_t>((lengths.seqlen_q + config.at("BLOCK_M") - 1) / config.at("BLOCK_M"));
  return {static_cast<uint32_t>(lengths.batch * lengths.heads_q) * tiles,
          static_cast<uint32_t>(32 * config.at("WARPS")),
          static_cast<uint32_t>(find_family("flash_fwd")->resources(kCapacity, config).shared_bytes)};
}

// Both configs timed in a bucket.
void measure(PlannerBench& bench, const Problem& problem, const Config& config, double seconds,
             double chosen_seconds) {
  bench.database->add(bench.record(problem, config, seconds));
  bench.database->add(bench.record(problem, kChosen, chosen_seconds));
}

}  // namespace

TEST_CASE("lengths that were measured to run faster with another config take it at execute") {
  PlannerBench bench;
  bench.database->add(bench.record(kCapacity, kChosen));
  measure(bench, actual(1, 1, 256), kDecode, 1e-4, 2e-4);
  measure(bench, actual(2, 64, 64), kShort, 1e-4, 3e-4);
  const auto plan = bench.plan(kCapacity, TuningPolicy::off);
  CHECK(plan->config() == kChosen);
  CHECK(plan->table().kernels.size() == 3);
  CHECK(plan->table().classes.size() == 2);
  CHECK(bench.backend.fake_compiler.compilations == 3);
  CHECK(bench.backend.loads == 3);
  for (const auto& [lengths, config] : {std::pair{kCapacity, kChosen},
                                        {actual(1, 1, 256), kDecode},
                                        {actual(2, 1, 200), kDecode},
                                        {actual(2, 1, 192), kChosen},  // another class of keys
                                        {actual(2, 64, 64), kShort},
                                        {actual(1, 20, 33), kShort},
                                        {actual(1, 65, 64), kChosen}}) {
    INFO(describe(lengths));
    CHECK(execute(bench, *plan, lengths) == expected(config, lengths));
  }
  CHECK(bench.backend.fake_compiler.compilations == 3);
  CHECK(bench.backend.loads == 3);
}

TEST_CASE("a plan of a single config takes it for every length") {
  PlannerBench bench;
  bench.database->add(bench.record(kCapacity, kChosen));
  measure(bench, actual(1, 1, 256), kDecode, 1e-4, 2e-4);
  Problem pinned = kCapacity;
  pinned.single_config = true;
  const auto plan = bench.plan(pinned, TuningPolicy::off);
  CHECK(plan->table().kernels.size() == 1);
  CHECK(execute(bench, *plan, actual(1, 1, 256)) == expected(kChosen, actual(1, 1, 256)));
  CHECK_FALSE(plan->fingerprint() == bench.plan(kCapacity, TuningPolicy::off)->fingerprint());
}

TEST_CASE("a class gets no config of its own when that gains nothing, or cannot occur") {
  PlannerBench bench;
  bench.database->add(bench.record(kCapacity, kChosen));
  SECTION("the capacity's wins there, too") {
    measure(bench, actual(1, 1, 256), kDecode, 2e-4, 1e-4);
  }
  SECTION("a tie") {
    measure(bench, actual(1, 1, 256), kDecode, 1e-4, 1.015e-4);
  }
  SECTION("more queries than the capacity") {
    measure(bench, actual(1, 512, 256), kDecode, 1e-4, 2e-4);
  }
  SECTION("more keys than the capacity") {
    measure(bench, actual(1, 1, 512), kDecode, 1e-4, 2e-4);
  }
  SECTION("more sequences than the capacity") {
    measure(bench, actual(1000, 1, 256), kDecode, 1e-4, 2e-4);
  }
  SECTION("measured at a shape of another bucket") {
    Record record = bench.record(actual(1, 1, 256), kDecode);
    record.seqlen_kv = 64;
    bench.database->add(record);
  }
  SECTION("its kernel does not compile") {
    measure(bench, actual(1, 1, 256), kDecode, 1e-4, 2e-4);
    bench.backend.script[kDecode].fault = Fault::does_not_compile;
  }
  const auto plan = bench.plan(kCapacity, TuningPolicy::off);
  CHECK(plan->config() == kChosen);
  CHECK(plan->table().kernels.size() == 1);
  CHECK(plan->table().classes.empty());
}

TEST_CASE("a plan holds four configs at most: those with the most to gain") {
  PlannerBench bench;
  bench.database->add(bench.record(kCapacity, kChosen));
  const Config configs[] = {kDecode, kShort, flash_config(64, 128, 4, 1, 0), flash_config(128, 64, 8, 1, 0)};
  const Problem shapes[] = {actual(1, 1, 256), actual(1, 16, 256), actual(1, 64, 256), actual(1, 128, 256)};
  const double gains[] = {1.3, 1.1, 1.2, 2};
  for (size_t i = 0; i < 4; ++i)
    measure(bench, shapes[i], configs[i], 1e-4, gains[i] * 1e-4);
  const auto plan = bench.plan(kCapacity, TuningPolicy::off);
  REQUIRE(plan->table().kernels.size() == 4);
  CHECK(plan->table().kernels[1].config == configs[3]);
  CHECK(plan->table().kernels[2].config == configs[0]);
  CHECK(plan->table().kernels[3].config == configs[2]);
  CHECK(execute(bench, *plan, shapes[1]) == expected(kChosen, shapes[1]));
  CHECK(execute(bench, *plan, shapes[3]) == expected(configs[3], shapes[3]));
}

TEST_CASE(
    "a near plan has length classes, one by the cost model alone has none, and neither tunes for them") {
  PlannerBench bench;
  CHECK(bench.plan(kCapacity, TuningPolicy::off)->table().kernels.size() == 1);
  bench.database->add(bench.record(actual(2, 256, 192), kChosen));
  measure(bench, actual(1, 1, 256), kDecode, 1e-4, 2e-4);
  const auto plan = bench.plan(kCapacity, TuningPolicy::off);
  CHECK(plan->match() == Match::near);
  CHECK(plan->config() == kChosen);
  CHECK(plan->table().kernels.size() == 2);
  CHECK(bench.tunings == 0);
}

TEST_CASE("a length class reads as in a bucket") {
  const LengthClass decode = length_class_of(actual(1, 1, 200), 132);
  CHECK(to_string(decode) == "Nq<=1 Nk<=256 waves<0.5");
  CHECK(bucket_key(actual(1, 1, 200), 132).ends_with(to_string(decode)));
}

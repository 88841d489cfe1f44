// flash_fwd on the emulator: a small list of problems, every tunable, every head dimension class.
#include "kernels/families.h"
#include "simt/simt_backend.h"
#include "support/catch.h"
#include "support/flash_fwd_checks.h"
#include "tune/validation.h"

using namespace attune;

namespace {

Problem problem_of(DType dtype, int64_t head_dim, Mask mask, int64_t heads_q = 2, int64_t heads_kv = 1) {
  return {.dtype = dtype,
          .mask = mask,
          .batch = 1,
          .heads_q = heads_q,
          .heads_kv = heads_kv,
          .head_dim = head_dim,
          .head_dim_v = head_dim};
}

// One of the smallest: fits every dtype and head dimension.
Config small_config() {
  return {{"BLOCK_M", 16},       {"BLOCK_N", 16},    {"WARPS", 1},        {"STAGES", 1},
          {"Q_IN_REGISTERS", 0}, {"KEEP_PLACES", 0}, {"TENSOR_COPIES", 0}};
}

Config config_of(int block_m, int block_n, int warps, int stages, int q_in_registers) {
  return {{"BLOCK_M", block_m},
          {"BLOCK_N", block_n},
          {"WARPS", warps},
          {"STAGES", stages},
          {"Q_IN_REGISTERS", q_in_registers},
          {"KEEP_PLACES", 0},
          {"TENSOR_COPIES", 0}};
}

Config keeping_places(Config config) {
  config.set("KEEP_PLACES", 1);
  return config;
}

Config by_engine(Config config) {
  config.set("TENSOR_COPIES", 1);
  return config;
}

Config by_tensor_products(Config config) {
  config.set("TENSOR_PRODUCTS", 1);
  return config;
}

const std::vector<FlashFwdCase::Lengths> kFew = {{127, 129}, {1, 203}, {97, 3}};

}  // namespace

TEST_CASE("flash_fwd on simt is right for every kind of head dimension", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  std::vector<FlashFwdCase> cases;
  for (const int64_t head_dim : {1, 32, 40, 59, 64, 80, 96, 111, 128, 192, 256}) {
    const Problem problem = problem_of(DType::bf16, head_dim, Mask::causal);
    // The rule compares with the luck of a plain kernel, which takes more than a handful of elements.
    const bool tiny = head_dim == 1;
    cases.push_back({problem, config_of(64, 32, 4, 1, 0),
                     tiny ? std::vector<FlashFwdCase::Lengths>{{127, 129}, {64, 203}} : kFew});
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_fwd on simt is right for values that are wider or narrower than queries", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  std::vector<FlashFwdCase> cases;
  for (const auto& [head_dim, head_dim_v] :
       std::initializer_list<std::pair<int64_t, int64_t>>{{192, 128}, {40, 96}, {64, 3}}) {
    for (const DType dtype : {DType::bf16, DType::f32, DType::f64}) {
      Problem problem = problem_of(dtype, head_dim, Mask::causal);
      problem.head_dim_v = head_dim_v;
      cases.push_back(
          {problem, size_of(dtype) == 2 ? config_of(64, 32, 4, 1, 0) : small_config(), {{67, 35}, {3, 80}}});
    }
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_fwd on simt is right for f32 on tensor cores", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  std::vector<FlashFwdCase> cases;
  const auto add = [&](Problem problem, const Config& config, double q_deviation, Placement placement) {
    problem.batch = 2;
    cases.push_back({problem, by_tensor_products(config), {{67, 83}, {1, 40}}, q_deviation, placement});
  };
  for (const int64_t head_dim : {1, 33, 64, 80, 128, 256}) {
    add(problem_of(DType::f32, head_dim, Mask::causal), config_of(64, 32, 4, 1, 0), 1, Placement::aligned);
  }
  Problem wide = problem_of(DType::f32, 40, Mask::none, 4, 2);
  wide.head_dim_v = 96;
  add(wide, config_of(128, 32, 4, 2, 0), 1, Placement::unaligned);
  add(problem_of(DType::f32, 72, Mask::causal, 4, 2), config_of(128, 64, 8, 1, 0), 40, Placement::broadcast);
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_fwd on simt is right for rows that start anywhere and tensors that broadcast", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  std::vector<FlashFwdCase> cases;
  for (const Placement placement : {Placement::unaligned, Placement::broadcast}) {
    for (const auto& [dtype, head_dim] : std::initializer_list<std::pair<DType, int64_t>>{
             {DType::bf16, 64}, {DType::bf16, 72}, {DType::f16, 59}, {DType::f32, 33}, {DType::f64, 31}}) {
      Problem problem = problem_of(dtype, head_dim, Mask::causal, 4, 2);
      problem.batch = 2;
      cases.push_back({problem,
                       size_of(dtype) == 2 ? config_of(64, 32, 4, 2, 0) : small_config(),
                       {{67, 83}},
                       1,
                       placement});
    }
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_fwd on simt aligns a causal mask to the top left on request", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  std::vector<FlashFwdCase> cases;
  for (const DType dtype : {DType::bf16, DType::f64}) {
    cases.push_back({problem_of(dtype, 32, Mask::causal_top_left),
                     size_of(dtype) == 2 ? config_of(64, 32, 4, 1, 0) : small_config(),
                     {{70, 70}, {130, 33}, {33, 130}, {1, 5}}});
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_fwd on simt takes no keys at all", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  for (const DType dtype : {DType::bf16, DType::f32, DType::f64}) {
    check_flash_fwd(bench, {{problem_of(dtype, 40, Mask::none),
                             size_of(dtype) == 2 ? config_of(64, 32, 4, 1, 0) : small_config(),
                             {{70, 0}}}});
  }
}

TEST_CASE("flash_fwd on simt does f16 as Turing would", "[simt]") {
  KernelBench bench = KernelBench::on_simt("sm_75");
  check_flash_fwd(bench, {{problem_of(DType::f16, 64, Mask::causal), config_of(64, 32, 4, 1, 0), kFew}});
}

TEST_CASE("flash_fwd on simt is right for every dtype and mask, with all lengths from one kernel", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  const std::vector<FlashFwdCase::Lengths> lengths = {{1, 1},     {3, 3},     {97, 97},   {113, 127},
                                                      {127, 113}, {128, 128}, {129, 203}, {203, 97},
                                                      {203, 1},   {300, 256}};
  std::vector<FlashFwdCase> cases;
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32, DType::f64}) {
    for (const Mask mask : {Mask::none, Mask::causal}) {
      const int block_n = dtype == DType::f64 ? 32 : 64;
      cases.push_back({problem_of(dtype, 64, mask), config_of(64, block_n, 4, 1, 0), lengths});
    }
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_fwd on simt is right for every tunable", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  const Problem problem = problem_of(DType::bf16, 64, Mask::causal);
  const Problem single = problem_of(DType::f32, 48, Mask::causal);
  check_flash_fwd(bench, {{problem, config_of(128, 64, 4, 1, 1), kFew},
                          {problem, config_of(128, 64, 4, 2, 0), kFew},
                          {problem, keeping_places(config_of(64, 64, 4, 1, 0)), kFew},
                          {problem, config_of(128, 96, 8, 1, 0), kFew},
                          {problem, config_of(64, 48, 4, 1, 1), kFew},
                          {problem, config_of(64, 112, 2, 1, 0), kFew},
                          {problem, config_of(128, 80, 8, 1, 0), kFew},
                          {single, config_of(128, 32, 8, 2, 0), kFew},
                          {single, config_of(16, 16, 1, 1, 0), kFew},
                          {single, config_of(128, 64, 4, 1, 0), kFew}});
}

TEST_CASE("flash_fwd on simt is right when the copy engine brings K and V", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  std::vector<FlashFwdCase> cases;
  for (const auto& [head_dim, head_dim_v] :
       std::initializer_list<std::pair<int64_t, int64_t>>{{64, 64}, {128, 128}, {256, 256}, {192, 128}}) {
    Problem problem = problem_of(head_dim == 64 ? DType::f16 : DType::bf16, head_dim, Mask::causal, 4, 2);
    problem.head_dim_v = head_dim_v;
    problem.batch = 2;
    problem.layout = head_dim == 128 ? Layout::bshd : Layout::bhsd;
    const Config config = by_engine(config_of(64, head_dim == 256 ? 32 : 48, 4, 1, 0));
    cases.push_back({problem, config, {{127, 129}, {1, 203}, {97, 3}, {70, 0}}});
    cases.push_back({problem, config, {{67, 83}}, 1, Placement::broadcast});
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_fwd on simt is right for batches, groups of heads and both layouts", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  Problem problem = problem_of(DType::f16, 32, Mask::none, 6, 2);
  problem.batch = 3;
  Problem transposed = problem;
  transposed.layout = Layout::bshd;
  check_flash_fwd(bench, {{problem, config_of(64, 32, 4, 1, 0), {{70, 45}}},
                          {transposed, config_of(64, 32, 4, 1, 0), {{70, 45}}}});
}

TEST_CASE("flash_fwd on simt is right for logits far beyond what exp can take", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  for (const DType dtype : {DType::bf16, DType::f32}) {
    FlashFwdCase large{problem_of(dtype, 64, Mask::none), config_of(64, 64, 4, 1, 0), {{129, 203}}};
    // Many steps, so that the running maximum moves often: what is corrected by must be what was subtracted.
    FlashFwdCase many_steps{problem_of(dtype, 64, Mask::none), config_of(128, 32, 4, 2, 0), {{203, 799}}};
    large.q_deviation = many_steps.q_deviation = 60;
    check_flash_fwd(bench, {large, many_steps});
  }
}

TEST_CASE("every config of flash_fwd touches the shared memory it asks for, to the last byte", "[simt]") {
  // What the budget predicts is what is launched; the emulator tells what was touched.
  KernelBench bench = KernelBench::on_simt();
  std::vector<std::pair<Problem, Candidate>> work;
  for (const DType dtype : {DType::bf16, DType::f32, DType::f64}) {
    Problem problem = problem_of(dtype, 32, Mask::none, 1, 1);
    problem.seqlen_q = problem.seqlen_kv = 256;  // fills the largest tile, and both slots of a ring
    for (Candidate& candidate : enumerate_candidates(problem, bench.backend().device(), {})) {
      if (candidate.family->name() != "flash_fwd") continue;
      // Which of these two it is does not change what is touched; one of each is enough to compile.
      const bool twin = candidate.config.at("KEEP_PLACES") == 1 || candidate.config.at("Q_IN_REGISTERS") == 1;
      if (candidate.verdict.fits && !twin) work.emplace_back(problem, std::move(candidate));
    }
  }
  CHECK(work.size() > 50);
  const Problem panels = problem_of(DType::bf16, 64, Mask::none, 1, 1);
  for (Candidate& candidate : enumerate_candidates(panels, bench.backend().device(), {})) {
    const bool wanted = candidate.family->name() == "flash_fwd" &&
                        candidate.config.at("TENSOR_COPIES") == 1 && candidate.config.at("BLOCK_N") % 32 == 0;
    if (!wanted) continue;
    Problem problem = panels;
    problem.seqlen_q = problem.seqlen_kv = 256;
    work.emplace_back(problem, std::move(candidate));
  }
  bench.precompile(work);
  auto& emulator = dynamic_cast<SimtBackend&>(bench.backend());
  for (const auto& [problem, candidate] : work) {
    INFO(describe(problem) << " with " << to_string(candidate.config));
    const AttentionCase attention(problem, 3, 1);
    attention.run(emulator, *candidate.family, candidate.config,
                  bench.module(problem, *candidate.family, candidate.config));
    const int64_t untouched = candidate.use.shared_bytes - 1 - emulator.last_run_report().highest_shared_byte;
    CHECK(untouched >= 0);
    CHECK(untouched <= 16);  // the padding of the last row of wide elements
  }
}

TEST_CASE("flash_fwd on simt repeats bit for bit", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  Problem problem = problem_of(DType::bf16, 64, Mask::causal);
  problem.seqlen_q = problem.seqlen_kv = 131;
  check_repeatable(bench, problem, config_of(64, 64, 4, 1, 0), 3);
}

TEST_CASE("flash_fwd on simt passes the tuner's validation on other architectures", "[simt]") {
  for (const char* arch : {"sm_80", "sm_86"}) {
    KernelBench bench = KernelBench::on_simt(arch);
    Problem problem = problem_of(DType::bf16, 128, Mask::causal, 8, 2);
    problem.batch = 2;
    problem.seqlen_q = problem.seqlen_kv = 4096;
    const auto [family, config] = first_choice(problem, bench.backend().device());
    const Validation validation(problem);
    const Comparison comparison =
        validation.check(bench.backend(), *family, config, bench.module(problem, *family, config));
    INFO(arch << ": " << to_string(config) << ": " << comparison.reason);
    CHECK(comparison.ok);
  }
}

TEST_CASE("row_softmax on simt is right for every config", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  const Problem problem{
      .operation = Operation::row_softmax, .dtype = DType::f32, .seqlen_q = 64, .seqlen_kv = 64};
  const Validation validation(problem);
  const Family& family = row_softmax_family();
  for (const Config& config : family.space(problem, bench.backend().device()).enumerate()) {
    const Comparison comparison =
        validation.check(bench.backend(), family, config, bench.module(problem, family, config));
    INFO(to_string(config) << ": " << comparison.reason);
    CHECK(comparison.ok);
  }
}

// The kernels of the backward pass on the emulator: a small list of problems, every tunable, every head
// dimension class.
#include <array>
#include <set>

#include "simt/simt_backend.h"
#include "support/catch.h"
#include "support/flash_bwd_checks.h"
#include "tune/validation.h"

using namespace attune;

namespace {

using Lengths = std::vector<FlashBwdCase::Lengths>;

Problem problem_of(DType dtype, int64_t head_dim, Mask mask, int64_t heads_q = 2, int64_t heads_kv = 1) {
  return {.operation = Operation::backward_dkv,
          .dtype = dtype,
          .mask = mask,
          .batch = 1,
          .heads_q = heads_q,
          .heads_kv = heads_kv,
          .head_dim = head_dim,
          .head_dim_v = head_dim};
}

Config dkv_config(int block_m, int block_n, int warps, int stages, int separate, int keys_in_registers = 0) {
  return {{"BLOCK_M", block_m},
          {"BLOCK_N", block_n},
          {"WARPS", warps},
          {"STAGES", stages},
          {"KEYS_IN_REGISTERS", keys_in_registers},
          {"SEPARATE", separate}};
}

Config dq_config(int block_m, int block_n, int warps, int stages, int queries_in_registers = 0) {
  return {{"BLOCK_M", block_m},
          {"BLOCK_N", block_n},
          {"WARPS", warps},
          {"STAGES", stages},
          {"QUERIES_IN_REGISTERS", queries_in_registers}};
}

Config by_tensor_products(Config config) {
  config.set("TENSOR_PRODUCTS", 1);
  return config;
}

// One of the smallest of each stage that can do the problem.
std::vector<FlashBwdCase> small_stages(const Problem& problem, const Lengths& lengths, double q_deviation = 1,
                                       Placement placement = Placement::aligned) {
  const int separate = problem.head_dim + problem.head_dim_v > 256 ? 1 : 0;
  const FlashBwdCase one{problem, {}, lengths, q_deviation, placement};
  if (size_of(problem.dtype) == 2)
    return every_stage(one, dkv_config(32, 64, 4, 1, separate), dq_config(64, 32, 4, 1));
  return every_stage(one, dkv_config(16, 16, 1, 1, separate), dq_config(16, 16, 1, 1));
}

void add(std::vector<FlashBwdCase>& cases, const std::vector<FlashBwdCase>& more) {
  cases.insert(cases.end(), more.begin(), more.end());
}

const Lengths kFew = {{127, 129}, {1, 203}, {97, 3}};

}  // namespace

TEST_CASE("flash_bwd on simt is right for every kind of head dimension", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  std::vector<FlashBwdCase> cases;
  for (const int64_t head_dim : {1, 32, 40, 59, 64, 80, 96, 111, 128, 192, 256}) {
    // The rule compares with the luck of a plain kernel, which takes more than a handful of elements.
    add(cases, small_stages(problem_of(DType::bf16, head_dim, Mask::causal),
                            head_dim == 1 ? Lengths{{127, 129}, {64, 203}} : kFew));
  }
  for (const DType dtype : {DType::f32, DType::f64})
    add(cases, small_stages(problem_of(dtype, 256, Mask::causal), {{35, 37}}));
  check_flash_bwd(bench, cases);
}

TEST_CASE("flash_bwd on simt is right for values that are wider or narrower than queries", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  std::vector<FlashBwdCase> cases;
  for (const auto& [head_dim, head_dim_v] :
       std::initializer_list<std::pair<int64_t, int64_t>>{{192, 128}, {40, 96}, {64, 3}}) {
    for (const DType dtype : {DType::bf16, DType::f32, DType::f64}) {
      Problem problem = problem_of(dtype, head_dim, Mask::causal);
      problem.head_dim_v = head_dim_v;
      add(cases, small_stages(problem, {{67, 35}, {3, 80}}));
    }
  }
  check_flash_bwd(bench, cases);
}

TEST_CASE("flash_bwd on simt is right for f32 on tensor cores", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  std::vector<FlashBwdCase> cases;
  const auto add_problem = [&](const FlashBwdCase& one, const Config& dkv, const Config& dq) {
    add(cases, every_stage(one, by_tensor_products(dkv), by_tensor_products(dq)));
  };
  const Lengths lengths = {{67, 83}, {1, 40}};
  for (const int64_t head_dim : {1, 33, 64, 80, 128}) {
    add_problem({problem_of(DType::f32, head_dim, Mask::causal), {}, lengths}, dkv_config(16, 64, 4, 1, 0),
                dq_config(64, 32, 4, 1));
  }
  add_problem({problem_of(DType::f32, 256, Mask::causal), {}, {{35, 37}}}, dkv_config(16, 16, 1, 1, 1),
              dq_config(16, 16, 1, 1));
  Problem wide = problem_of(DType::f32, 40, Mask::none, 4, 2);
  wide.head_dim_v = 96;
  add_problem({wide, {}, lengths, 1, Placement::unaligned}, dkv_config(32, 128, 4, 2, 0),
              dq_config(128, 32, 4, 2));
  add_problem({problem_of(DType::f32, 72, Mask::causal, 4, 2), {}, lengths, 40, Placement::broadcast},
              dkv_config(32, 64, 4, 2, 0), dq_config(128, 64, 8, 1));
  check_flash_bwd(bench, cases);
}

TEST_CASE("flash_bwd on simt is right for rows that start anywhere and tensors that broadcast", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  std::vector<FlashBwdCase> cases;
  for (const Placement placement : {Placement::unaligned, Placement::broadcast}) {
    for (const auto& [dtype, head_dim] : std::initializer_list<std::pair<DType, int64_t>>{
             {DType::bf16, 64}, {DType::bf16, 72}, {DType::f16, 59}, {DType::f32, 33}, {DType::f64, 31}}) {
      Problem problem = problem_of(dtype, head_dim, Mask::causal, 4, 2);
      problem.batch = 2;
      add(cases, small_stages(problem, {{67, 83}}, 1, placement));
    }
  }
  check_flash_bwd(bench, cases);
}

TEST_CASE("flash_bwd on simt aligns a causal mask to the top left on request", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  std::vector<FlashBwdCase> cases;
  for (const DType dtype : {DType::bf16, DType::f64}) {
    add(cases,
        small_stages(problem_of(dtype, 32, Mask::causal_top_left), {{70, 70}, {130, 33}, {33, 130}, {1, 5}}));
  }
  check_flash_bwd(bench, cases);
}

TEST_CASE("flash_bwd on simt takes no keys and no queries at all", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  for (const DType dtype : {DType::bf16, DType::f32, DType::f64}) {
    for (const Mask mask : {Mask::none, Mask::causal})
      check_flash_bwd(bench, small_stages(problem_of(dtype, 40, mask), {{70, 0}, {0, 70}}));
  }
}

TEST_CASE("flash_bwd on simt does f16 as Turing would", "[simt]") {
  KernelBench bench = KernelBench::on_simt("sm_75");
  check_flash_bwd(bench, small_stages(problem_of(DType::f16, 64, Mask::causal), kFew));
}

TEST_CASE("flash_bwd on simt is right for every dtype and mask, with all lengths from one kernel", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  const Lengths lengths = {{1, 1},     {3, 3},     {97, 97},  {113, 127}, {127, 113},
                           {128, 128}, {129, 203}, {203, 97}, {203, 1},   {300, 256}};
  std::vector<FlashBwdCase> cases;
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32, DType::f64}) {
    for (const Mask mask : {Mask::none, Mask::causal}) {
      const FlashBwdCase one{problem_of(dtype, 64, mask), {}, lengths};
      add(cases, every_stage(one, dkv_config(32, 64, 4, 1, 0), dq_config(64, 32, 4, 1)));
    }
  }
  check_flash_bwd(bench, cases);
}

TEST_CASE("flash_bwd on simt is right for every tunable", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  std::vector<FlashBwdCase> cases;
  const auto add_stages = [&](const Problem& problem, const Config& dkv, const Config& dq,
                              int delta_warps = 4) {
    add(cases, every_stage({problem, {}, kFew}, dkv, dq, {{"WARPS", delta_warps}}));
  };
  const Problem problem = problem_of(DType::bf16, 64, Mask::causal);
  const Problem single = problem_of(DType::f32, 48, Mask::causal);
  add_stages(problem, dkv_config(64, 128, 8, 2, 0, 1), dq_config(128, 64, 8, 2, 1), 2);
  add_stages(problem, dkv_config(16, 128, 4, 2, 0), dq_config(128, 96, 4, 2), 8);
  add_stages(problem, dkv_config(128, 64, 4, 1, 0, 1), dq_config(64, 128, 4, 1, 1), 16);
  add_stages(problem, dkv_config(32, 32, 2, 1, 1), dq_config(32, 16, 2, 1));
  add_stages(problem, dkv_config(32, 64, 4, 2, 1), dq_config(64, 48, 4, 2));
  add_stages(single, dkv_config(32, 128, 8, 2, 0), dq_config(128, 32, 8, 2));
  add_stages(single, dkv_config(64, 128, 4, 1, 0), dq_config(128, 64, 4, 1));
  check_flash_bwd(bench, cases);
}

TEST_CASE("flash_bwd on simt is right for batches, groups of heads and both layouts", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  Problem problem = problem_of(DType::f16, 32, Mask::none, 6, 2);
  problem.batch = 3;
  Problem transposed = problem;
  transposed.layout = Layout::bshd;
  transposed.mask = Mask::causal;
  std::vector<FlashBwdCase> cases = small_stages(problem, {{70, 45}});
  add(cases, small_stages(transposed, {{70, 45}}));
  check_flash_bwd(bench, cases);
}

TEST_CASE("flash_bwd on simt is right for logits far beyond what exp can take", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  for (const DType dtype : {DType::bf16, DType::f16, DType::f32, DType::f64})
    check_flash_bwd(bench, small_stages(problem_of(dtype, 64, Mask::none), {{129, 203}}, 60));
}

TEST_CASE("every config of flash_bwd touches the shared memory it asks for, to the last byte", "[simt]") {
  // What the budget predicts is what is launched; the emulator tells what was touched. Configs of the same
  // tiles touch the same, however many warps share them: one of each is enough to compile.
  KernelBench bench = KernelBench::on_simt();
  std::vector<std::pair<Problem, Candidate>> work;
  for (const DType dtype : {DType::bf16, DType::f32, DType::f64}) {
    for (const Operation stage : {Operation::backward_dkv, Operation::backward_dq}) {
      Problem problem = problem_of(dtype, 32, Mask::none, 1, 1);
      problem.operation = stage;
      problem.seqlen_q = problem.seqlen_kv = 256;  // fills the largest tile, and both slots of a ring
      std::set<std::array<int, 3>> tiles;
      for (Candidate& candidate : enumerate_candidates(problem, bench.backend().device(), {})) {
        const Config& config = candidate.config;
        const std::array<int, 3> of_this = {config.at("BLOCK_M"), config.at("BLOCK_N"), config.at("STAGES")};
        if (candidate.verdict.fits && tiles.insert(of_this).second)
          work.emplace_back(problem, std::move(candidate));
      }
    }
  }
  CHECK(work.size() > 40);
  bench.precompile(work);
  auto& emulator = dynamic_cast<SimtBackend&>(bench.backend());
  for (const auto& [problem, candidate] : work) {
    INFO(describe(problem) << " with " << to_string(candidate.config));
    const BackwardCase backward(problem, 3, 1);
    backward.run(emulator, *candidate.family, candidate.config,
                 bench.module(problem, *candidate.family, candidate.config));
    const int64_t untouched = candidate.use.shared_bytes - 1 - emulator.last_run_report().highest_shared_byte;
    CHECK(untouched >= 0);
    CHECK(untouched <= 16);  // the padding of the last row of wide elements
  }
}

TEST_CASE("flash_bwd on simt repeats bit for bit", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  Problem problem = problem_of(DType::bf16, 64, Mask::causal);
  problem.seqlen_q = problem.seqlen_kv = 131;
  for (const FlashBwdCase& one : small_stages(problem, {}))
    check_backward_repeatable(bench, one.problem, {.family = &family_of(one.problem), .config = one.config},
                              3);
}

TEST_CASE("flash_bwd on simt passes the tuner's validation on other architectures", "[simt]") {
  for (const char* arch : {"sm_80", "sm_86"}) {
    KernelBench bench = KernelBench::on_simt(arch);
    for (const Operation stage :
         {Operation::backward_delta, Operation::backward_dkv, Operation::backward_dq}) {
      Problem problem = problem_of(DType::bf16, 128, Mask::causal, 8, 2);
      problem.operation = stage;
      problem.batch = 2;
      problem.seqlen_q = problem.seqlen_kv = 4096;
      const Family& family = family_of(problem);
      const Config config = enumerate_candidates(problem, bench.backend().device(), {}).at(0).config;
      const Comparison comparison =
          Validation(problem).check(bench.backend(), family, config, bench.module(problem, family, config));
      INFO(arch << ": " << to_string(config) << ": " << comparison.reason);
      CHECK(comparison.ok);
    }
  }
}

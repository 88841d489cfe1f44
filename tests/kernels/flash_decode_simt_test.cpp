// flash_decode on the emulator: packed rows, keys divided among warps and blocks, every tunable.
#include <algorithm>

#include "kernels/families.h"
#include "simt/simt_backend.h"
#include "support/catch.h"
#include "support/flash_fwd_checks.h"
#include "tune/scratch_workspace.h"
#include "tune/validation.h"

using namespace attune;

namespace {

using Lengths = std::vector<FlashFwdCase::Lengths>;

Problem problem_of(DType dtype, int64_t head_dim, Mask mask, int64_t heads_q = 8, int64_t heads_kv = 2) {
  return {.dtype = dtype,
          .mask = mask,
          .batch = 1,
          .heads_q = heads_q,
          .heads_kv = heads_kv,
          .head_dim = head_dim,
          .head_dim_v = head_dim};
}

Config config_of(int block_m = 16, int block_n = 16, int warps = 4, int stages = 3, int blocks = 2) {
  return {{"BLOCK_M", block_m}, {"BLOCK_N", block_n}, {"WARPS", warps},
          {"STAGES", stages},   {"BLOCKS", blocks},   {"BEGINS_EARLY", 1}};
}

ForwardKernel decoding(Config config) {
  return {flash_decode_family(), std::move(config)};
}

}  // namespace

TEST_CASE("flash_decode on simt is right for every kind of head dimension", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  std::vector<FlashFwdCase> cases;
  for (const int64_t head_dim : {1, 32, 40, 59, 64, 80, 96, 111, 128, 160, 192, 224, 256}) {
    // The rule compares with the luck of a plain kernel, which takes more than a handful of elements.
    const bool tiny = head_dim == 1;
    cases.push_back({problem_of(DType::bf16, head_dim, Mask::causal), decoding(config_of()),
                     tiny ? Lengths{{15, 203}} : Lengths{{1, 703}, {5, 129}, {16, 3}}});
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_decode on simt is right for values that are wider or narrower than queries", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  std::vector<FlashFwdCase> cases;
  for (const auto& [head_dim, head_dim_v] : std::initializer_list<std::pair<int64_t, int64_t>>{
           {192, 128}, {40, 96}, {64, 3}, {16, 256}, {256, 16}}) {
    for (const DType dtype : {DType::bf16, DType::f16}) {
      Problem problem = problem_of(dtype, head_dim, Mask::causal);
      problem.head_dim_v = head_dim_v;
      cases.push_back({problem, decoding(config_of()), {{3, 300}, {4, 35}}});
    }
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_decode on simt is right for groups of any size, batches and both layouts", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  std::vector<FlashFwdCase> cases;
  for (const auto& [heads_q, heads_kv] :
       std::initializer_list<std::pair<int64_t, int64_t>>{{3, 3}, {8, 1}, {6, 2}, {32, 2}, {40, 1}}) {
    for (const Layout layout : {Layout::bhsd, Layout::bshd}) {
      Problem problem = problem_of(DType::bf16, 64, Mask::causal, heads_q, heads_kv);
      problem.batch = 3;
      problem.layout = layout;
      cases.push_back({problem, decoding(config_of()), {{1, 517}, {2, 64}, {7, 259}}});
    }
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_decode on simt is right for all lengths from one kernel", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  std::vector<FlashFwdCase> cases;
  for (const Mask mask : {Mask::none, Mask::causal, Mask::causal_top_left}) {
    // None, fewer than a step, than a turn of all warps, than a split; and whole ones of each, more or less
    // by one. Also more queries than keys.
    cases.push_back({problem_of(DType::bf16, 64, mask),
                     decoding(config_of()),
                     {{1, 0},   {1, 1},   {1, 15},  {1, 16},  {1, 17},   {1, 63},    {1, 64},   {1, 65},
                      {1, 127}, {1, 128}, {1, 129}, {1, 256}, {1, 2047}, {1, 2048},  {1, 4099}, {16, 0},
                      {16, 1},  {16, 7},  {16, 16}, {16, 97}, {16, 700}, {13, 1023}, {40, 33},  {70, 300}}});
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_decode on simt is right for rows that start anywhere and tensors that broadcast", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  std::vector<FlashFwdCase> cases;
  for (const Placement placement : {Placement::unaligned, Placement::broadcast}) {
    for (const auto& [dtype, head_dim] : std::initializer_list<std::pair<DType, int64_t>>{
             {DType::bf16, 64}, {DType::bf16, 72}, {DType::f16, 59}, {DType::f16, 128}}) {
      Problem problem = problem_of(dtype, head_dim, Mask::causal);
      problem.batch = 2;
      cases.push_back({problem, decoding(config_of()), {{3, 331}, {1, 40}}, 1, placement});
    }
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_decode on simt does f16 as Turing would", "[simt]") {
  KernelBench bench = KernelBench::on_simt("sm_75");
  check_flash_fwd(bench, {{problem_of(DType::f16, 64, Mask::causal),
                           decoding(config_of(16, 16, 4, 2, 1)),
                           {{1, 703}, {5, 129}}}});
}

TEST_CASE("flash_decode on simt is right for every config of common problems", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  std::vector<FlashFwdCase> cases;
  for (const int64_t head_dim : {64, 128}) {
    Problem problem = problem_of(DType::bf16, head_dim, Mask::causal);
    problem.seqlen_q = 16;
    for (const Config& config : flash_decode_family().space(problem, bench.backend().device()).enumerate())
      cases.push_back({problem, decoding(config), {{1, 1031}, {9, 200}}});
  }
  CHECK(cases.size() >= 12);
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_decode on simt is right for logits far beyond what exp can take", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  for (const DType dtype : {DType::bf16, DType::f16}) {
    FlashFwdCase large{problem_of(dtype, 64, Mask::none), decoding(config_of()), {{4, 1203}, {16, 129}}};
    large.q_deviation = 60;
    check_flash_fwd(bench, {large});
  }
}

TEST_CASE("flash_decode on simt touches the shared memory it asks for, to the last byte", "[simt]") {
  KernelBench bench = KernelBench::on_simt();
  Problem problem = problem_of(DType::bf16, 128, Mask::none, 16, 1);
  problem.seqlen_q = 2;
  problem.seqlen_kv = 8192;
  const Config config = config_of(16, 16, 4, 3, 2);
  auto& emulator = dynamic_cast<SimtBackend&>(bench.backend());
  const Family& family = flash_decode_family();
  AttentionCase(problem, 3, 1).run(emulator, family, config, bench.module(problem, family, config));
  CHECK(emulator.last_run_report().highest_shared_byte == family.resources(problem, config).shared_bytes - 1);
}

TEST_CASE("flash_decode on simt repeats bit for bit, whichever block comes last", "[simt]") {
  Problem problem = problem_of(DType::bf16, 64, Mask::causal);
  problem.batch = 2;
  problem.seqlen_q = 3;
  problem.seqlen_kv = 1531;
  std::vector<std::byte> first;
  for (const char* options : {"threads=1,seed=1", "threads=1,seed=2", "threads=2,seed=3"}) {
    KernelBench bench(make_simt_backend("sm_90a", options, {}));
    check_repeatable(bench, problem, decoding(config_of()), 3);
    const AttentionOutput output = AttentionCase(problem, 5, 1)
                                       .run(bench.backend(), flash_decode_family(), config_of(),
                                            bench.module(problem, flash_decode_family(), config_of()));
    std::vector<std::byte> bytes(output.o.storage().begin(), output.o.storage().end());
    if (first.empty()) first = bytes;
    CHECK(bytes == first);
  }
}

TEST_CASE("flash_decode on simt passes the tuner's validation on other architectures", "[simt]") {
  for (const char* arch : {"sm_80", "sm_86"}) {
    KernelBench bench = KernelBench::on_simt(arch);
    Problem problem = problem_of(DType::bf16, 128, Mask::causal);
    problem.batch = 2;
    problem.seqlen_kv = 8192;
    const auto [family, config] = first_choice(problem, bench.backend().device());
    CHECK(family->name() == "flash_decode");
    const Validation validation(problem);
    const Comparison comparison =
        validation.check(bench.backend(), *family, config, bench.module(problem, *family, config));
    INFO(arch << ": " << to_string(config) << ": " << comparison.reason);
    CHECK(comparison.ok);
  }
}

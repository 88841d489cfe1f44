// The forward pass by warpgroup products on the emulator: every tunable, both masks, grouped heads, lengths
// that are no whole tiles.
#include <array>
#include <random>

#include "kernels/families.h"
#include "simt/simt_backend.h"
#include "support/catch.h"
#include "support/flash_fwd_checks.h"
#include "tune/validation.h"

using namespace attune;

namespace {

Problem problem_of(DType dtype, int64_t head_dim, int64_t head_dim_v, Mask mask) {
  return {.dtype = dtype,
          .mask = mask,
          .batch = 1,
          .heads_q = 2,
          .heads_kv = 1,
          .head_dim = head_dim,
          .head_dim_v = head_dim_v};
}

ForwardKernel kernel_of(int block_m, int block_n, int stages, int take_turns = 0, int persistent = 1) {
  return {flash_fwd_sm90_family(),
          {{"BLOCK_M", block_m},
           {"BLOCK_N", block_n},
           {"STAGES", stages},
           {"TAKE_TURNS", take_turns},
           {"PERSISTENT", persistent}}};
}

// Two sequences, grouped heads, under a causal mask.
Problem grouped_problem(int64_t head_dim) {
  Problem problem = problem_of(DType::bf16, head_dim, head_dim, Mask::causal);
  problem.batch = 2;
  problem.heads_q = 4;
  problem.heads_kv = 2;
  return problem;
}

// The problem of these lengths; then with tensors that lie in every other way.
std::vector<FlashFwdCase> cases_of_places(const Problem& problem, FlashFwdCase::Lengths lengths) {
  Problem transposed = problem;
  transposed.layout = Layout::bshd;
  const ForwardKernel kernel = kernel_of(128, 128, 2);
  return {{problem, kernel, {lengths}},
          {transposed, kernel, {{131, 150}}},
          {transposed, kernel, {{131, 150}}, 1, Placement::broadcast},
          {problem, kernel, {{67, 83}}, 1, Placement::unaligned}};
}

const std::vector<FlashFwdCase::Lengths> kFew = {{97, 131}, {130, 400}, {203, 70}, {1, 33}};

}  // namespace

TEST_CASE("flash_fwd_sm90 on simt is right for its tunables and head dimensions", "[simt]") {
  KernelBench bench = KernelBench::on_simt("sm_90a");
  check_flash_fwd(
      bench, {{problem_of(DType::bf16, 64, 64, Mask::causal), kernel_of(192, 128, 2, 1), kFew},
              {problem_of(DType::f16, 64, 64, Mask::none), kernel_of(128, 208, 2), {{197, 197}, {130, 400}}},
              {problem_of(DType::bf16, 64, 64, Mask::causal), kernel_of(128, 208, 2, 1), {{197, 197}}},
              {problem_of(DType::f16, 128, 128, Mask::causal), kernel_of(128, 160, 2, 1, 0), kFew},
              {problem_of(DType::bf16, 128, 64, Mask::causal_top_left), kernel_of(128, 144, 2), kFew},
              {problem_of(DType::bf16, 192, 128, Mask::causal), kernel_of(128, 112, 2, 0, 0), {{97, 131}}},
              {problem_of(DType::bf16, 256, 256, Mask::causal), kernel_of(128, 80, 2), {{130, 203}}}});
}

TEST_CASE("flash_fwd_sm90 on simt is right for head dimensions that end within a panel", "[simt]") {
  KernelBench bench = KernelBench::on_simt("sm_90a");
  const std::vector<FlashFwdCase::Lengths> two = {{97, 131}, {203, 70}};
  check_flash_fwd(bench,
                  {{problem_of(DType::bf16, 72, 72, Mask::causal), kernel_of(128, 160, 2, 1), kFew},
                   {problem_of(DType::bf16, 72, 72, Mask::none), kernel_of(192, 128, 2), {{203, 131}}},
                   {problem_of(DType::f16, 96, 96, Mask::causal), kernel_of(192, 112, 2), {{97, 131}}},
                   {problem_of(DType::f16, 96, 96, Mask::none), kernel_of(128, 144, 2, 0, 0), two},
                   {problem_of(DType::bf16, 40, 40, Mask::causal), kernel_of(192, 128, 3), two},
                   {problem_of(DType::f16, 8, 8, Mask::causal_top_left), kernel_of(192, 160, 2), two},
                   {problem_of(DType::bf16, 96, 64, Mask::causal), kernel_of(128, 128, 2), two},
                   {problem_of(DType::f16, 64, 104, Mask::none), kernel_of(128, 112, 2), two},
                   {problem_of(DType::bf16, 72, 200, Mask::causal), kernel_of(128, 96, 2), {{97, 131}}},
                   {problem_of(DType::bf16, 248, 8, Mask::none), kernel_of(128, 80, 2), {{97, 131}}}});
}

TEST_CASE("flash_fwd_sm90 on simt is right with one consumer", "[simt]") {
  KernelBench bench = KernelBench::on_simt("sm_90a");
  const std::vector<FlashFwdCase::Lengths> two = {{64, 300}, {97, 131}};
  check_flash_fwd(bench,
                  {{problem_of(DType::bf16, 64, 64, Mask::causal), kernel_of(64, 128, 2, 0, 0), kFew},
                   {problem_of(DType::f16, 128, 128, Mask::none), kernel_of(64, 96, 2, 0, 0), two},
                   {problem_of(DType::bf16, 72, 72, Mask::causal), kernel_of(64, 64, 2, 0, 0), two},
                   {problem_of(DType::bf16, 192, 192, Mask::none), kernel_of(64, 64, 2, 0, 0), two},
                   {problem_of(DType::bf16, 256, 256, Mask::causal), kernel_of(64, 64, 2, 0, 0), two}});
}

TEST_CASE("flash_fwd_sm90 on simt takes rows of 72 columns anywhere, in both layouts", "[simt]") {
  KernelBench bench = KernelBench::on_simt("sm_90a");
  check_flash_fwd(bench, cases_of_places(grouped_problem(72), {150, 40}));
}

TEST_CASE("flash_fwd_sm90 on simt takes rows that see no key, and both layouts", "[simt]") {
  KernelBench bench = KernelBench::on_simt("sm_90a");
  std::vector<FlashFwdCase> cases = cases_of_places(grouped_problem(64), {300, 40});
  cases.push_back({grouped_problem(64), kernel_of(128, 128, 2), {{67, 300}}, 60});
  check_flash_fwd(bench, cases);
}

TEST_CASE("blocks of flash_fwd_sm90 on simt go on with other tiles", "[simt]") {
  // More tiles than multiprocessors. Sections of heads take more keys than can be had here:
  // tile_walk_test.cpp.
  KernelBench bench = KernelBench::on_simt("sm_90a");
  Problem problem = problem_of(DType::bf16, 64, 64, Mask::causal);
  problem.batch = 16;
  problem.heads_q = 6;
  problem.heads_kv = 2;
  Problem unmasked = problem;
  unmasked.mask = Mask::none;
  Problem wide = problem_of(DType::f16, 128, 128, Mask::causal);
  wide.batch = 140;
  Problem widest = problem_of(DType::bf16, 256, 256, Mask::causal);
  widest.batch = 70;
  Problem longest = widest;  // three tiles in a row
  longest.batch = 100;
  Problem uneven = problem_of(DType::f16, 192, 128, Mask::none);
  uneven.batch = 70;
  Problem one_step = uneven;  // of a tile, and the next one's Q comes where its own was
  one_step.batch = 140;
  // Tiles of one step and of several; three row slots, two, one; and a place for the outputs of both.
  check_flash_fwd(bench, {{problem, kernel_of(128, 128, 2, 1), {{260, 150}}},
                          {problem, kernel_of(192, 128, 3, 1), {{260, 300}}},
                          {unmasked, kernel_of(192, 128, 2), {{330, 129}}},
                          {wide, kernel_of(128, 160, 2, 1), {{150, 170}}},
                          {widest, kernel_of(128, 80, 2, 1), {{130, 90}}},
                          {longest, kernel_of(128, 64, 2, 1), {{260, 90}}},
                          {uneven, kernel_of(128, 96, 2), {{190, 200}}},
                          {one_step, kernel_of(128, 128, 2), {{130, 70}}}});
}

TEST_CASE("flash_fwd_sm90 on simt is right where consumers pass over steps their rows see no key in",
          "[simt]") {
  // More steps than slots; few rows in the last tile, so that consumers have none, and then other tiles.
  KernelBench bench = KernelBench::on_simt("sm_90a");
  Problem problem = problem_of(DType::bf16, 64, 64, Mask::causal);
  problem.batch = 48;
  Problem unmasked = problem;
  unmasked.mask = Mask::none;
  Problem wide = problem_of(DType::f16, 128, 128, Mask::causal_top_left);
  wide.batch = 20;
  check_flash_fwd(bench, {{problem, kernel_of(192, 64, 2, 1), {{392, 500}}},
                          {problem, kernel_of(192, 80, 3), {{392, 300}}},
                          {problem, kernel_of(192, 64, 4), {{392, 300}}},
                          {unmasked, kernel_of(192, 64, 2, 1), {{392, 500}}},
                          {unmasked, kernel_of(128, 64, 2), {{264, 500}}},
                          {wide, kernel_of(192, 64, 2, 0, 0), {{392, 500}}},
                          {wide, kernel_of(128, 64, 4, 1), {{392, 500}}},
                          {wide, kernel_of(128, 96, 3), {{392, 500}}}});
}

TEST_CASE("flash_fwd_sm90 on simt is right for random problems", "[simt]") {
  KernelBench bench = KernelBench::on_simt("sm_90a");
  std::mt19937 random(2026);
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  std::vector<FlashFwdCase> cases;
  for (int i = 0; i < 16; ++i) {
    const int64_t head_dim = 8 * pick(1, 32);
    Problem problem = problem_of(pick(0, 1) == 0 ? DType::bf16 : DType::f16, head_dim,
                                 pick(0, 2) == 0 ? 8 * pick(1, 32) : head_dim,
                                 std::array{Mask::none, Mask::causal, Mask::causal_top_left}[pick(0, 2)]);
    problem.batch = pick(1, 3);
    problem.heads_q = problem.heads_kv * pick(1, 4);
    problem.layout = pick(0, 1) == 0 ? Layout::bhsd : Layout::bshd;
    problem.seqlen_q = pick(1, 320), problem.seqlen_kv = pick(1, 320);
    std::vector<Candidate> candidates = enumerate_candidates(problem, bench.backend().device(), {});
    std::erase_if(candidates, [](const Candidate& candidate) {
      return candidate.family != &flash_fwd_sm90_family() || !candidate.verdict.fits;
    });
    const Candidate& candidate =
        candidates[static_cast<size_t>(pick(0, static_cast<int64_t>(candidates.size()) - 1))];
    cases.push_back({problem,
                     {*candidate.family, candidate.config},
                     {{problem.seqlen_q, problem.seqlen_kv}, {pick(1, 320), pick(1, 320)}}});
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_fwd_sm90 on simt touches the shared memory it asks for, to the last byte", "[simt]") {
  KernelBench bench = KernelBench::on_simt("sm_90a");
  auto& emulator = dynamic_cast<SimtBackend&>(bench.backend());
  Problem problem = problem_of(DType::bf16, 64, 64, Mask::none);
  problem.seqlen_q = problem.seqlen_kv = 512;
  for (const ForwardKernel& kernel : {kernel_of(128, 128, 2, 1), kernel_of(128, 160, 2),
                                      kernel_of(192, 112, 3, 1, 0), kernel_of(64, 96, 2, 0, 0)}) {
    const auto& [family, config] = kernel;
    const AttentionCase attention(problem, 3, 1);
    attention.run(emulator, *family, config, bench.module(problem, *family, config));
    CHECK(family->resources(problem, config).shared_bytes - 1 ==
          emulator.last_run_report().highest_shared_byte);
  }
}

TEST_CASE("flash_fwd_sm90 on simt passes the tuner's validation and repeats bit for bit", "[simt]") {
  KernelBench bench = KernelBench::on_simt("sm_90a");
  Problem problem = problem_of(DType::bf16, 64, 64, Mask::causal);
  problem.seqlen_q = problem.seqlen_kv = 200;
  const ForwardKernel kernel = kernel_of(128, 128, 2, 1);
  const auto& [family, config] = kernel;
  const Comparison comparison =
      Validation(problem).check(bench.backend(), *family, config, bench.module(problem, *family, config));
  INFO(comparison.reason);
  CHECK(comparison.ok);
  check_repeatable(bench, problem, kernel, 3);
}

// The kernels of the backward pass on a GPU: the whole list of DESIGN.md for what is supported, and every
// config of the tuned problems.
#include <algorithm>
#include <array>
#include <atomic>
#include <random>
#include <thread>

#include "kernels/families.h"
#include "support/catch.h"
#include "support/flash_bwd_checks.h"
#include "support/flash_fwd_checks.h"
#include "tune/validation.h"

using namespace attune;

namespace {

using Lengths = std::vector<FlashBwdCase::Lengths>;

constexpr DType kDTypes[] = {DType::f16, DType::bf16, DType::f32, DType::f64};
constexpr Mask kMasks[] = {Mask::none, Mask::causal};
constexpr int64_t kHeadDims[] = {32, 40, 59, 64, 72, 80, 96, 111, 128, 160, 192, 224, 256};
constexpr Operation kStages[] = {Operation::backward_delta, Operation::backward_dkv, Operation::backward_dq};

const Lengths kLengths = {{1, 1},       {1, 2048},   {3, 97},     {97, 3},    {113, 113},  {127, 129},
                          {129, 127},   {203, 203},  {799, 203},  {203, 799}, {1023, 129}, {64, 1023},
                          {1023, 1023}, {1025, 799}, {256, 1025}, {2048, 1},  {70, 0},     {0, 70}};

Problem problem_of(DType dtype, int64_t head_dim, Mask mask) {
  return {.dtype = dtype,
          .mask = mask,
          .batch = 1,
          .heads_q = 4,
          .heads_kv = 2,
          .head_dim = head_dim,
          .head_dim_v = head_dim};
}

// A case for each stage, with what the cost model takes first for large problems.
void add_stages(std::vector<FlashBwdCase>& cases, const Problem& problem, const Lengths& lengths,
                double q_deviation = 1, Placement placement = Placement::aligned) {
  for (const Operation stage : kStages) {
    cases.push_back({problem, {}, lengths, q_deviation, placement});
    cases.back().problem.operation = stage;
  }
}

Problem large(Problem stage) {
  stage.batch = 8;
  stage.seqlen_q = stage.seqlen_kv = 2048;
  return stage;
}

Candidate choice_for(const Problem& stage, const DeviceSpec& device) {
  return enumerate_candidates(large(stage), device, {}).at(0);
}

}  // namespace

TEST_CASE("flash_bwd on a GPU is right for every head dimension, dtype, mask and length", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  for (const DType dtype : kDTypes) {
    for (const int64_t head_dim : kHeadDims) {
      DYNAMIC_SECTION(name_of(dtype) << " D=" << head_dim) {  // alone: -c "f64 D=256"
        std::vector<FlashBwdCase> cases;
        for (const Mask mask : kMasks)
          add_stages(cases, problem_of(dtype, head_dim, mask), kLengths);
        check_flash_bwd(bench, cases);
      }
    }
  }
}

TEST_CASE("flash_bwd on a GPU is right for f32 by tensor cores and by multiply-adds", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  std::vector<FlashBwdCase> cases;
  for (const int64_t head_dim : kHeadDims) {
    for (const Operation stage : {Operation::backward_dkv, Operation::backward_dq}) {
      Problem problem = problem_of(DType::f32, head_dim, Mask::causal);
      problem.operation = stage;
      for (const int by_tensor_cores : {0, 1}) {
        const std::vector<Candidate> candidates =
            enumerate_candidates(large(problem), bench.backend().device(), {});
        const auto found =
            std::find_if(candidates.begin(), candidates.end(), [&](const Candidate& candidate) {
              return candidate.verdict.fits && candidate.config.at("TENSOR_PRODUCTS") == by_tensor_cores;
            });
        REQUIRE(found != candidates.end());
        cases.push_back({problem, found->config, {{203, 799}, {1023, 129}, {97, 97}}});
        cases.back().family = found->family;
      }
    }
  }
  check_flash_bwd(bench, cases);
}

TEST_CASE("flash_bwd on a GPU is right for pairs of head dimensions, the smallest ones and both alignments",
          "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  std::vector<FlashBwdCase> cases;
  for (const auto& [head_dim, head_dim_v] : std::initializer_list<std::pair<int64_t, int64_t>>{
           {192, 128}, {128, 192}, {64, 256}, {1, 1}, {3, 5}, {8, 8}, {100, 200}}) {
    for (const DType dtype : kDTypes) {
      for (const Mask mask : {Mask::none, Mask::causal_top_left}) {
        Problem problem = problem_of(dtype, head_dim, mask);
        problem.head_dim_v = head_dim_v;
        // The rule compares with the luck of a plain kernel, which takes more than a handful of elements.
        add_stages(cases, problem, head_dim < 8 ? Lengths{{203, 203}, {97, 131}} : kLengths);
      }
    }
  }
  check_flash_bwd(bench, cases);
}

TEST_CASE("flash_bwd on a GPU is right for rows that start anywhere and tensors that broadcast", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  std::vector<FlashBwdCase> cases;
  for (const Placement placement : {Placement::unaligned, Placement::broadcast}) {
    for (const int64_t head_dim : {33, 59, 64, 72, 128, 256}) {
      for (const DType dtype : kDTypes) {
        Problem problem = problem_of(dtype, head_dim, Mask::causal);
        problem.batch = 2;
        add_stages(cases, problem, {{97, 131}, {203, 97}, {129, 799}}, 1, placement);
      }
    }
  }
  check_flash_bwd(bench, cases);
}

TEST_CASE("flash_bwd on a GPU is right for logits far beyond what exp can take", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  std::vector<FlashBwdCase> cases;
  for (const DType dtype : kDTypes) {
    for (const Mask mask : kMasks)
      add_stages(cases, problem_of(dtype, 64, mask), {{203, 799}, {1023, 129}}, 60);
  }
  check_flash_bwd(bench, cases);
}

TEST_CASE("flash_bwd on a GPU is right for random problems", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  std::mt19937 random(2027);
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  std::vector<FlashBwdCase> cases;
  for (int i = 0; i < 90; ++i) {
    Problem problem = problem_of(kDTypes[pick(0, 3)], pick(8, 256), kMasks[pick(0, 1)]);
    problem.operation = kStages[i % 3];
    problem.head_dim_v = pick(0, 2) == 0 ? pick(8, 256) : problem.head_dim;
    problem.batch = pick(1, 3);
    problem.heads_kv = pick(1, 3);
    problem.heads_q = problem.heads_kv * pick(1, 4);
    problem.layout = pick(0, 1) == 0 ? Layout::bhsd : Layout::bshd;
    std::vector<Candidate> candidates = enumerate_candidates(problem, bench.backend().device(), {});
    std::erase_if(candidates, [](const Candidate& candidate) { return !candidate.verdict.fits; });
    const Candidate& candidate =
        candidates[static_cast<size_t>(pick(0, static_cast<int64_t>(candidates.size()) - 1))];
    cases.push_back({problem,
                     candidate.config,
                     {{pick(8, 700), pick(1, 700)}, {pick(8, 700), pick(1, 700)}},
                     1,
                     pick(0, 3) == 0 ? Placement::unaligned : Placement::aligned});
    cases.back().family = candidate.family;
  }
  check_flash_bwd(bench, cases);
}

TEST_CASE("every config of flash_bwd passes validation and needs what was predicted", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  for (const Operation stage : kStages) {
    for (const int64_t head_dim : {64, 128, 256}) {
      for (const DType dtype : {DType::bf16, DType::f32}) {
        Problem problem = problem_of(dtype, head_dim, Mask::causal);
        problem.operation = stage;
        problem.seqlen_q = problem.seqlen_kv = 1024;
        const Validation validation(problem);
        std::vector<Candidate> candidates = enumerate_candidates(problem, bench.backend().device(), {});
        std::erase_if(candidates, [](const Candidate& candidate) { return !candidate.verdict.fits; });
        std::vector<std::pair<Problem, Candidate>> work;
        for (const Candidate& candidate : candidates)
          work.push_back({problem, candidate});
        bench.precompile(work);
        for (const Candidate& candidate : candidates) {
          const Module& module = bench.module(problem, *candidate.family, candidate.config);
          const Comparison comparison =
              validation.check(bench.backend(), *candidate.family, candidate.config, module);
          INFO(describe(problem) << " with " << to_string(candidate.config) << ": " << comparison.reason);
          CHECK(comparison.ok);
          CHECK(module.static_shared_bytes() == 0);
        }
      }
    }
  }
}

TEST_CASE("flash_bwd on a GPU repeats bit for bit, a thousand times, whatever else the GPU does", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  std::atomic<bool> done = false;
  std::thread other_work([&] {
    KernelBench other = KernelBench::on_cuda();
    Problem problem = problem_of(DType::f16, 64, Mask::none);
    problem.seqlen_q = problem.seqlen_kv = 799;
    const auto [family, config] = first_choice(problem, other.backend().device());
    const Module& module = other.module(problem, *family, config);
    const AttentionCase attention(problem, 1, 1);
    while (!done)
      attention.run(other.backend(), *family, config, module);
  });
  for (const auto& [dtype, head_dim] : std::initializer_list<std::pair<DType, int64_t>>{
           {DType::bf16, 128}, {DType::bf16, 256}, {DType::f32, 64}}) {
    for (const Operation stage : kStages) {
      Problem problem = problem_of(dtype, head_dim, Mask::causal);
      problem.operation = stage;
      problem.seqlen_q = problem.seqlen_kv = 1023;
      check_backward_repeatable(bench, problem, choice_for(problem, bench.backend().device()), 1000);
    }
  }
  done = true;
  other_work.join();
}

TEST_CASE("small flash_bwd problems for the sanitizers", "[gpu][sanitizer]") {
  KernelBench bench = KernelBench::on_cuda();
  std::vector<FlashBwdCase> cases;
  for (const DType dtype : kDTypes) {
    for (const int64_t head_dim : {40, 59, 128}) {
      const Problem problem = problem_of(dtype, head_dim, Mask::causal);
      add_stages(cases, problem, {{203, 97}, {129, 259}, {1, 33}});
      add_stages(cases, problem, {{97, 131}}, 1, Placement::unaligned);
    }
  }
  add_stages(cases, problem_of(DType::bf16, 192, Mask::causal), {{203, 97}});  // dK and dV by separate blocks
  check_flash_bwd(bench, cases);
}

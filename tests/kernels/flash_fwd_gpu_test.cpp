// flash_fwd on a GPU: the whole list of DESIGN.md for what is supported, and every config of the tuned
// problems.
#include <random>

#include "kernels/families.h"
#include "support/catch.h"
#include "support/flash_fwd_checks.h"
#include "tune/validation.h"

using namespace attune;

namespace {

constexpr DType kDTypes[] = {DType::f16, DType::bf16, DType::f32};
constexpr Mask kMasks[] = {Mask::none, Mask::causal};
constexpr int64_t kHeadDims[] = {32, 40, 64, 72, 80, 96, 128, 160, 192, 224, 256};

const std::vector<FlashFwdCase::Lengths> kLengths = {
    {1, 1},     {1, 2048},  {3, 97},     {97, 3},    {113, 113},   {127, 129},  {129, 127},  {203, 203},
    {799, 203}, {203, 799}, {1023, 129}, {64, 1023}, {1023, 1023}, {1025, 799}, {256, 1025}, {2048, 1}};

Problem problem_of(DType dtype, int64_t head_dim, Mask mask) {
  return {.dtype = dtype,
          .mask = mask,
          .batch = 1,
          .heads_q = 4,
          .heads_kv = 2,
          .head_dim = head_dim,
          .head_dim_v = head_dim};
}

// Capacity-sized, so that the first choice is the one large problems take.
Config choice_for(Problem problem, const DeviceSpec& device) {
  problem.batch = 8;
  problem.seqlen_q = problem.seqlen_kv = 2048;
  return first_choice(problem, device);
}

}  // namespace

TEST_CASE("flash_fwd on a GPU is right for every head dimension, dtype, mask and length", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  std::vector<FlashFwdCase> cases;
  for (const int64_t head_dim : kHeadDims) {
    for (const DType dtype : kDTypes) {
      for (const Mask mask : kMasks) {
        const Problem problem = problem_of(dtype, head_dim, mask);
        cases.push_back({problem, choice_for(problem, bench.backend().device()), kLengths});
      }
    }
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_fwd on a GPU is right for logits far beyond what exp can take", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  std::vector<FlashFwdCase> cases;
  for (const DType dtype : kDTypes) {
    for (const Mask mask : kMasks) {
      const Problem problem = problem_of(dtype, 64, mask);
      cases.push_back(
          {problem, choice_for(problem, bench.backend().device()), {{203, 799}, {1023, 129}}, 60});
    }
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_fwd on a GPU is right for random problems", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  std::mt19937 random(2026);
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  std::vector<FlashFwdCase> cases;
  for (int i = 0; i < 60; ++i) {
    Problem problem = problem_of(kDTypes[pick(0, 2)], 8 * pick(1, 32), kMasks[pick(0, 1)]);
    problem.batch = pick(1, 3);
    problem.heads_kv = pick(1, 3);
    problem.heads_q = problem.heads_kv * pick(1, 4);
    problem.layout = pick(0, 1) == 0 ? Layout::bhsd : Layout::bshd;
    std::vector<Candidate> candidates = enumerate_candidates(problem, bench.backend().device(), {});
    std::erase_if(candidates, [](const Candidate& candidate) { return !candidate.verdict.fits; });
    const Candidate& candidate =
        candidates[static_cast<size_t>(pick(0, static_cast<int64_t>(candidates.size()) - 1))];
    cases.push_back(
        {problem, candidate.config, {{pick(1, 700), pick(1, 700)}, {pick(1, 700), pick(1, 700)}}});
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("every config passes validation and needs what was predicted", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  for (const int64_t head_dim : {64, 128, 256}) {
    for (const DType dtype : {DType::bf16, DType::f32}) {
      Problem problem = problem_of(dtype, head_dim, Mask::causal);
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

TEST_CASE("flash_fwd on a GPU repeats bit for bit, a thousand times", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  Problem problem = problem_of(DType::bf16, 128, Mask::causal);
  problem.seqlen_q = problem.seqlen_kv = 1023;
  const Config config = choice_for(problem, bench.backend().device());
  check_repeatable(bench, problem, config, 1000);
}

TEST_CASE("small flash_fwd problems for the sanitizers", "[gpu][sanitizer]") {
  KernelBench bench = KernelBench::on_cuda();
  std::vector<FlashFwdCase> cases;
  for (const DType dtype : kDTypes) {
    for (const int64_t head_dim : {40, 128}) {
      const Problem problem = problem_of(dtype, head_dim, Mask::causal);
      cases.push_back(
          {problem, choice_for(problem, bench.backend().device()), {{203, 97}, {129, 259}, {1, 33}}});
    }
  }
  check_flash_fwd(bench, cases);
}

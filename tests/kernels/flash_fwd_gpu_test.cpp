// flash_fwd on a GPU: the whole list of DESIGN.md for what is supported, and every config of the tuned
// problems.
#include <algorithm>
#include <array>
#include <random>

#include "kernels/families.h"
#include "support/catch.h"
#include "support/flash_fwd_checks.h"
#include "tune/validation.h"

using namespace attune;

namespace {

constexpr DType kDTypes[] = {DType::f16, DType::bf16, DType::f32, DType::f64};
constexpr Mask kMasks[] = {Mask::none, Mask::causal};
constexpr int64_t kHeadDims[] = {32, 40, 59, 64, 72, 80, 96, 111, 128, 160, 192, 224, 256};

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
Problem large(Problem problem) {
  problem.batch = 8;
  problem.seqlen_q = problem.seqlen_kv = 2048;
  return problem;
}

ForwardKernel choice_for(const Problem& problem, const DeviceSpec& device) {
  return first_choice(large(problem), device);
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

TEST_CASE("flash_fwd on a GPU is right for f32 by tensor cores and by multiply-adds", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  std::vector<FlashFwdCase> cases;
  for (const int64_t head_dim : kHeadDims) {
    const Problem problem = problem_of(DType::f32, head_dim, Mask::causal);
    for (const int by_tensor_cores : {0, 1}) {
      const std::vector<Candidate> candidates =
          enumerate_candidates(large(problem), bench.backend().device(), {});
      const auto found = std::find_if(candidates.begin(), candidates.end(), [&](const Candidate& candidate) {
        return candidate.verdict.fits && candidate.config.at("TENSOR_PRODUCTS") == by_tensor_cores;
      });
      REQUIRE(found != candidates.end());
      cases.push_back({problem, {*found->family, found->config}, {{203, 799}, {1023, 129}, {97, 97}}});
    }
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_fwd on a GPU is right for pairs of head dimensions, the smallest ones and both alignments",
          "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  std::vector<FlashFwdCase> cases;
  for (const auto& [head_dim, head_dim_v] : std::initializer_list<std::pair<int64_t, int64_t>>{
           {192, 128}, {128, 192}, {64, 256}, {1, 1}, {3, 5}, {8, 8}, {100, 200}}) {
    for (const DType dtype : kDTypes) {
      for (const Mask mask : {Mask::none, Mask::causal_top_left}) {
        Problem problem = problem_of(dtype, head_dim, mask);
        problem.head_dim_v = head_dim_v;
        // The rule compares with the luck of a plain kernel, which takes more than a handful of elements.
        const bool tiny = head_dim < 8;
        cases.push_back({problem, choice_for(problem, bench.backend().device()),
                         tiny ? std::vector<FlashFwdCase::Lengths>{{203, 203}, {97, 131}} : kLengths});
      }
    }
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_fwd on a GPU is right for rows that start anywhere and tensors that broadcast", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  std::vector<FlashFwdCase> cases;
  for (const Placement placement : {Placement::unaligned, Placement::broadcast}) {
    for (const int64_t head_dim : {33, 59, 64, 72, 128, 256}) {
      for (const DType dtype : kDTypes) {
        Problem problem = problem_of(dtype, head_dim, Mask::causal);
        problem.batch = 2;
        cases.push_back({problem, choice_for(problem, bench.backend().device()), kLengths, 1, placement});
      }
    }
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_fwd on a GPU finds its way beyond 2^31 elements", "[gpu]") {
  // The last head of a tensor of 2^32 elements: its result must be that of the same rows on their own.
  KernelBench bench = KernelBench::on_cuda();
  Backend& backend = bench.backend();
  Problem large = problem_of(DType::bf16, 128, Mask::causal);
  large.batch = 1;
  large.heads_q = large.heads_kv = 8192;
  large.seqlen_q = large.seqlen_kv = 4096;
  const int64_t head_elements = large.seqlen_q * large.head_dim;
  const auto bytes = static_cast<size_t>(2 * large.heads_q * head_elements);
  if (backend.free_bytes() < 4 * bytes + (size_t{1} << 30)) {
    WARN("skipped: needs " << 4 * bytes << " bytes of device memory");
    return;
  }
  const auto [family, config] = choice_for(large, backend.device());
  const Module& module = bench.module(large, *family, config);
  // Zero everywhere but in the last head, so that a wrapped address shows.
  std::vector<void*> tensors;
  for (int i = 0; i < 4; ++i) {
    tensors.push_back(backend.allocate(bytes));
    backend.fill(tensors.back(), 0, bytes, backend.planning_stream());
  }
  HostTensor head(DType::bf16, {1, 1, large.seqlen_q, large.head_dim});
  const auto last = static_cast<size_t>((large.heads_q - 1) * head_elements);
  const auto at = [&](void* tensor, size_t element) { return static_cast<std::byte*>(tensor) + 2 * element; };
  for (size_t i = 0; i < 3; ++i) {
    head.fill_random(i + 1);
    backend.synchronize(backend.planning_stream());
    backend.copy(at(tensors[i], last), head.storage().data(), static_cast<size_t>(2 * head_elements));
  }
  const auto run = [&](size_t first_head, int64_t heads) {
    Problem problem = large;
    problem.heads_q = problem.heads_kv = heads;
    const std::array<int64_t, 4> strides = {heads * head_elements, head_elements, large.head_dim, 1};
    Arguments arguments{.batch = 1,
                        .seqlen_q = large.seqlen_q,
                        .seqlen_kv = large.seqlen_kv,
                        .scale = default_scale(large.head_dim, large.dtype)};
    TensorView* views[] = {&arguments.q, &arguments.k, &arguments.v, &arguments.o};
    for (size_t i = 0; i < 4; ++i)
      *views[i] = {at(tensors[i], first_head * static_cast<size_t>(head_elements)), strides};
    Launch launch;
    family->pack(problem, config, arguments, backend.tensor_maps(), launch, backend.device().multiprocessors);
    backend.launch(module, launch, backend.planning_stream());
    backend.synchronize(backend.planning_stream());
    std::vector<std::byte> result(static_cast<size_t>(2 * head_elements));
    backend.copy(result.data(), at(tensors[3], last), result.size());
    return result;
  };
  const std::vector<std::byte> as_part = run(0, large.heads_q);
  const std::vector<std::byte> alone = run(static_cast<size_t>(large.heads_q - 1), 1);
  CHECK(as_part == alone);
  CHECK(std::ranges::any_of(alone, [](std::byte byte) { return byte != std::byte{0}; }));
  for (void* tensor : tensors)
    backend.free(tensor);
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
    // Half of them in panels of 64 columns, which more families take.
    const bool panels = pick(0, 1) == 0;
    const auto pick_dim = [&] { return panels ? 64 * pick(1, 4) : pick(8, 256); };
    Problem problem = problem_of(kDTypes[pick(0, 3)], pick_dim(), kMasks[pick(0, 1)]);
    problem.head_dim_v = pick(0, 2) == 0 ? pick_dim() : problem.head_dim;
    problem.batch = pick(1, 3);
    problem.heads_kv = pick(1, 3);
    problem.heads_q = problem.heads_kv * pick(1, 4);
    problem.layout = pick(0, 1) == 0 ? Layout::bhsd : Layout::bshd;
    std::vector<Candidate> candidates = enumerate_candidates(problem, bench.backend().device(), {});
    std::erase_if(candidates, [](const Candidate& candidate) { return !candidate.verdict.fits; });
    const Candidate& candidate =
        candidates[static_cast<size_t>(pick(0, static_cast<int64_t>(candidates.size()) - 1))];
    cases.push_back({problem,
                     {*candidate.family, candidate.config},
                     {{pick(8, 700), pick(1, 700)}, {pick(8, 700), pick(1, 700)}},
                     1,
                     pick(0, 3) == 0 ? Placement::unaligned : Placement::aligned});
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("every config passes validation and needs what was predicted", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  for (const int64_t head_dim : {64, 128, 256}) {
    for (const auto& [dtype, mask] : std::initializer_list<std::pair<DType, Mask>>{
             {DType::bf16, Mask::causal}, {DType::f16, Mask::none}, {DType::f32, Mask::causal}}) {
      Problem problem = problem_of(dtype, head_dim, mask);
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
        INFO(describe(problem) << " with " << candidate.family->name() << " " << to_string(candidate.config)
                               << ": " << comparison.reason);
        CHECK(comparison.ok);
        CHECK(module.static_shared_bytes() == 0);
      }
    }
  }
}

TEST_CASE("flash_fwd on a GPU repeats bit for bit, a thousand times", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  for (const int64_t head_dim : {64, 128, 256}) {
    Problem problem = problem_of(DType::bf16, head_dim, Mask::causal);
    problem.batch = 6;  // more tiles than multiprocessors: blocks go on with others
    problem.seqlen_q = problem.seqlen_kv = 1023;
    check_repeatable(bench, problem, choice_for(problem, bench.backend().device()), 1000);
  }
}

TEST_CASE("small flash_fwd problems for the sanitizers", "[gpu][sanitizer]") {
  KernelBench bench = KernelBench::on_cuda();
  std::vector<FlashFwdCase> cases;
  for (const DType dtype : kDTypes) {
    for (const int64_t head_dim : {40, 59, 128}) {
      const Problem problem = problem_of(dtype, head_dim, Mask::causal);
      const ForwardKernel kernel = choice_for(problem, bench.backend().device());
      cases.push_back({problem, kernel, {{203, 97}, {129, 259}, {1, 33}}});
      cases.push_back({problem, kernel, {{97, 131}}, 1, Placement::unaligned});
    }
  }
  check_flash_fwd(bench, cases);
}

// flash_decode on a GPU: head dimensions, groups, lengths and every config, and blocks that share keys again
// and again.
#include <array>
#include <vector>

#include "kernels/families.h"
#include "support/catch.h"
#include "support/flash_fwd_checks.h"
#include "tune/device_tensor.h"
#include "tune/scratch_workspace.h"
#include "tune/validation.h"

using namespace attune;

namespace {

using Lengths = std::vector<FlashFwdCase::Lengths>;

const Lengths kLengths = {{1, 0},    {1, 1},   {1, 17},  {1, 127}, {1, 129},  {1, 1023}, {1, 4099},
                          {1, 8192}, {3, 300}, {5, 129}, {16, 3},  {16, 700}, {7, 2049}, {13, 1025}};

Problem problem_of(DType dtype, int64_t head_dim, Mask mask, int64_t heads_q = 8, int64_t heads_kv = 2) {
  return {.dtype = dtype,
          .mask = mask,
          .batch = 1,
          .heads_q = heads_q,
          .heads_kv = heads_kv,
          .seqlen_q = 16,
          .seqlen_kv = 8192,
          .head_dim = head_dim,
          .head_dim_v = head_dim};
}

// Those that fit, the cost model's first choice first.
std::vector<ForwardKernel> kernels_for(const Problem& problem, const DeviceSpec& device) {
  std::vector<ForwardKernel> kernels;
  for (const Candidate& candidate : enumerate_candidates(problem, device, {})) {
    if (candidate.verdict.fits && candidate.family == &flash_decode_family())
      kernels.push_back({*candidate.family, candidate.config});
  }
  REQUIRE_FALSE(kernels.empty());
  return kernels;
}

}  // namespace

TEST_CASE("flash_decode on a GPU is right for every head dimension, mask and length", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  std::vector<FlashFwdCase> cases;
  for (const int64_t head_dim : {32, 40, 59, 64, 72, 80, 96, 111, 128, 160, 192, 224, 256}) {
    for (const DType dtype : {DType::f16, DType::bf16}) {
      for (const Mask mask : {Mask::none, Mask::causal, Mask::causal_top_left}) {
        const Problem problem = problem_of(dtype, head_dim, mask);
        cases.push_back({problem, kernels_for(problem, bench.backend().device()).front(), kLengths});
      }
    }
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("flash_decode on a GPU is right for pairs of head dimensions, groups, layouts and both alignments",
          "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  const DeviceSpec& device = bench.backend().device();
  std::vector<FlashFwdCase> cases;
  for (const auto& [head_dim, head_dim_v] : std::initializer_list<std::pair<int64_t, int64_t>>{
           {192, 128}, {128, 192}, {64, 256}, {8, 8}, {100, 200}, {256, 16}}) {
    Problem problem = problem_of(DType::bf16, head_dim, Mask::causal);
    problem.head_dim_v = head_dim_v;
    cases.push_back({problem, kernels_for(problem, device).front(), kLengths});
  }
  for (const auto& [heads_q, heads_kv] :
       std::initializer_list<std::pair<int64_t, int64_t>>{{3, 3}, {8, 1}, {6, 2}, {32, 8}, {40, 2}}) {
    for (const Layout layout : {Layout::bhsd, Layout::bshd}) {
      Problem problem = problem_of(DType::bf16, 128, Mask::causal, heads_q, heads_kv);
      problem.batch = 3;
      problem.seqlen_q = 3;
      problem.layout = layout;
      cases.push_back({problem, kernels_for(problem, device).front(), {{1, 1531}, {2, 64}, {3, 4099}}});
    }
  }
  for (const Placement placement : {Placement::unaligned, Placement::broadcast}) {
    for (const int64_t head_dim : {33, 59, 64, 72, 128, 256}) {
      Problem problem = problem_of(DType::f16, head_dim, Mask::causal);
      problem.batch = 2;
      cases.push_back({problem, kernels_for(problem, device).front(), kLengths, 1, placement});
    }
  }
  for (const DType dtype : {DType::f16, DType::bf16}) {
    const Problem problem = problem_of(dtype, 64, Mask::none);
    cases.push_back({problem, kernels_for(problem, device).front(), {{4, 4203}, {16, 129}}, 60});
  }
  check_flash_fwd(bench, cases);
}

TEST_CASE("every config of flash_decode passes validation and needs what was predicted", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  for (const int64_t head_dim : {64, 80, 128, 256}) {
    for (const int64_t nq : {1, 16}) {
      Problem problem = problem_of(DType::bf16, head_dim, Mask::causal);
      problem.seqlen_q = nq;
      const Validation validation(problem);
      for (const auto& [family, config] : kernels_for(problem, bench.backend().device())) {
        const Module& module = bench.module(problem, *family, config);
        const Comparison comparison = validation.check(bench.backend(), *family, config, module);
        INFO(describe(problem) << " with " << to_string(config) << ": " << comparison.reason);
        CHECK(comparison.ok);
        CHECK(module.static_shared_bytes() == 0);
        CHECK(module.local_bytes() == 0);
      }
    }
  }
}

TEST_CASE("flash_decode on a GPU repeats bit for bit in one workspace, thousands of times", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  Backend& backend = bench.backend();
  for (const auto& [batch, nq, nk] : std::initializer_list<std::array<int64_t, 3>>{
           {1, 1, 65536}, {8, 1, 8192}, {2, 4, 3000}, {5, 16, 700}}) {
    Problem problem = problem_of(DType::bf16, 128, Mask::causal, 8, 2);
    problem.batch = batch;
    problem.seqlen_q = nq;
    problem.seqlen_kv = nk;
    for (const auto& [family, config] : kernels_for(problem, backend.device())) {
      const Module& module = bench.module(problem, *family, config);
      const auto tensor = [&](int64_t heads, int64_t rows) {
        return HostTensor(problem.dtype, {batch, heads, rows, 128}, Layout::bhsd, TensorPadding{});
      };
      HostTensor q = tensor(8, nq), k = tensor(2, nk), v = tensor(2, nk), o = tensor(8, nq);
      q.fill_random(1);
      k.fill_random(2);
      v.fill_random(3);
      const DeviceTensor q_device(backend, q), k_device(backend, k), v_device(backend, v),
          o_device(backend, o);
      const ScratchWorkspace workspace(backend, *family, problem, config);
      const Arguments arguments{.q = q_device.view(),
                                .k = k_device.view(),
                                .v = v_device.view(),
                                .o = o_device.view(),
                                .workspace = workspace.data(),
                                .batch = batch,
                                .seqlen_q = nq,
                                .seqlen_kv = nk,
                                .scale = default_scale(128, problem.dtype)};
      Launch launch;
      family->pack(problem, config, arguments, nullptr, launch, backend.device().multiprocessors);
      std::vector<std::byte> first;
      int different = 0;
      for (int round = 0; round < 40; ++round) {
        for (int i = 0; i < 50; ++i)
          backend.launch(module, launch, backend.planning_stream());
        backend.synchronize(backend.planning_stream());
        o_device.download();
        std::vector<std::byte> bytes(o.storage().begin(), o.storage().end());
        if (first.empty()) first = bytes;
        different += bytes != first;
      }
      INFO(describe(problem) << " with " << to_string(config));
      CHECK(different == 0);
      const AttentionCase attention(problem, 5, 1);
      const Comparison comparison = attention.check(backend, *family, config, module);
      INFO(comparison.reason);
      CHECK(comparison.ok);
    }
  }
}

TEST_CASE("small flash_decode problems for the sanitizers", "[gpu][sanitizer]") {
  KernelBench bench = KernelBench::on_cuda();
  std::vector<FlashFwdCase> cases;
  for (const int64_t head_dim : {40, 59, 128}) {
    const Problem problem = problem_of(DType::bf16, head_dim, Mask::causal);
    const ForwardKernel kernel = kernels_for(problem, bench.backend().device()).front();
    cases.push_back({problem, kernel, {{1, 703}, {5, 259}, {16, 33}}});
    cases.push_back({problem, kernel, {{3, 331}}, 1, Placement::unaligned});
  }
  check_flash_fwd(bench, cases);
}

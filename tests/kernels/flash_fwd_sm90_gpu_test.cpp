// The forward pass by warpgroup products on a GPU: every head dimension, where products and copies end within
// a panel.
#include <optional>
#include <vector>

#include "kernels/families.h"
#include "support/catch.h"
#include "support/flash_fwd_checks.h"
#include "tune/device_tensor.h"

using namespace attune;

namespace {

// The model's first choice among tiles of so many rows.
std::optional<ForwardKernel> first_of(const Problem& problem, const DeviceSpec& device, int block_m) {
  for (const Candidate& candidate : enumerate_candidates(problem, device, {})) {
    const bool wanted = candidate.family == &flash_fwd_sm90_family() && candidate.verdict.fits &&
                        candidate.config.at("BLOCK_M") == block_m;
    if (wanted) return ForwardKernel{*candidate.family, candidate.config};
  }
  return std::nullopt;
}

void add_cases(KernelBench& bench, int64_t head_dim, int64_t head_dim_v, std::vector<FlashFwdCase>& cases) {
  const DeviceSpec& device = bench.backend().device();
  for (const int block_m : {64, 128, 192}) {
    Problem problem{.dtype = block_m == 128 ? DType::f16 : DType::bf16,
                    .mask = block_m == 64 ? Mask::none : Mask::causal,
                    .batch = 8,
                    .heads_q = 4,
                    .heads_kv = 2,
                    .seqlen_q = 1024,
                    .seqlen_kv = 1024,
                    .head_dim = head_dim,
                    .head_dim_v = head_dim_v};
    if (const std::optional<ForwardKernel> kernel = first_of(problem, device, block_m)) {
      problem.batch = 1;
      cases.push_back({problem, *kernel, {{203, 799}, {1023, 129}, {64, 300}, {1, 33}}});
    }
  }
}

}  // namespace

TEST_CASE("flash_fwd_sm90 on a GPU is right for every multiple of 8 and all tiles", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  if (bench.backend().device().arch != "sm_90a") {
    WARN("skipped: the GPU has no warpgroup products");
    return;
  }
  std::vector<FlashFwdCase> cases;
  for (int64_t dim = 8; dim <= 256; dim += 8)
    add_cases(bench, dim, dim, cases);
  for (const auto& [dim, dim_v] : {std::pair{192, 128}, {96, 64}, {72, 200}, {64, 104}, {248, 8}})
    add_cases(bench, dim, dim_v, cases);
  CHECK(cases.size() > 64);
  check_flash_fwd(bench, cases);
}

namespace {

// Launches of which each attends over what the one before it wrote: they begin early, and must wait.
class Chain {
 public:
  Chain(KernelBench& bench, const Problem& problem, const ForwardKernel& kernel)
      : backend_(bench.backend()),
        module_(bench.module(problem, *kernel.family, kernel.config)),
        input_(problem.dtype, {problem.batch, problem.heads_q, problem.seqlen_q, problem.head_dim},
               Layout::bhsd, TensorPadding{}),
        rooms_{DeviceTensor(backend_, input_), DeviceTensor(backend_, input_)} {
    input_.fill_random(7, 0, 4);
    for (int to = 0; to < 2; ++to) {
      const TensorView from = rooms_[1 - to].view();
      const Arguments arguments{.q = from,
                                .k = from,
                                .v = from,
                                .o = rooms_[to].view(),
                                .batch = problem.batch,
                                .seqlen_q = problem.seqlen_q,
                                .seqlen_kv = problem.seqlen_q,
                                .scale = 1};
      kernel.family->pack(problem, kernel.config, arguments, backend_.tensor_maps(), launches_[to],
                          backend_.device().multiprocessors);
    }
  }

  // The output of the last of so many launches.
  std::vector<std::byte> run(int launches, bool apart) {
    HostTensor output = input_;
    const size_t bytes = output.storage().size();
    backend_.copy(rooms_[1].view().data, output.storage().data(), bytes);
    for (int i = 0; i < launches; ++i) {
      backend_.launch(module_, launches_[i % 2], backend_.planning_stream());
      if (apart) backend_.synchronize(backend_.planning_stream());
    }
    backend_.synchronize(backend_.planning_stream());
    backend_.copy(output.storage().data(), rooms_[(launches - 1) % 2].view().data, bytes);
    return {output.storage().begin(), output.storage().end()};
  }

 private:
  Backend& backend_;
  const Module& module_;
  HostTensor input_;
  DeviceTensor rooms_[2];
  Launch launches_[2];
};

}  // namespace

TEST_CASE("launches of flash_fwd_sm90 that begin early wait for the outputs of those before", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  if (bench.backend().device().arch != "sm_90a") {
    WARN("skipped: the GPU has no warpgroup products");
    return;
  }
  for (const int64_t heads : {2, 300}) {  // fewer tiles than multiprocessors, and more
    for (const int block_m : {64, 128, 192}) {
      const Problem problem{.dtype = DType::bf16,
                            .mask = Mask::causal,
                            .batch = 1,
                            .heads_q = heads,
                            .heads_kv = heads,
                            .seqlen_q = 500,
                            .seqlen_kv = 500,
                            .head_dim = 64,
                            .head_dim_v = 64};
      const std::optional<ForwardKernel> kernel = first_of(problem, bench.backend().device(), block_m);
      REQUIRE(kernel);
      Chain chain(bench, problem, *kernel);
      constexpr int kLaunches = 6;
      const std::vector<std::byte> expected = chain.run(kLaunches, true);
      const bool each_launch_matters = expected != chain.run(kLaunches - 1, true);
      CHECK(each_launch_matters);
      int different = 0;
      for (int i = 0; i < 200; ++i)
        different += chain.run(kLaunches, false) != expected;
      INFO(heads << " heads, " << to_string(kernel->config));
      CHECK(different == 0);
    }
  }
}

// Launches that begin early wait for what was launched before them.
#include <array>
#include <deque>
#include <optional>
#include <vector>

#include "kernels/row_tiles.h"
#include "support/catch.h"
#include "support/flash_fwd_checks.h"
#include "tune/device_tensor.h"

using namespace attune;

namespace {

// Launches whose queries are what the one before them wrote, each with values of its own: they begin early,
// and must wait.
class Chain {
 public:
  static constexpr size_t kLaunches = 6;

  Chain(KernelBench& bench, const Problem& problem, const ForwardKernel& kernel)
      : backend_(bench.backend()), module_(bench.module(problem, *kernel.family, kernel.config)) {
    for (size_t i = 0; i < 3 + kLaunches; ++i) {  // two rooms for queries and outputs, the keys, the values
      HostTensor& host = hosts_.emplace_back(
          problem.dtype, std::array{problem.batch, problem.heads_q, problem.seqlen_q, problem.head_dim},
          Layout::bhsd, TensorPadding{});
      host.fill_random(i);
      tensors_.emplace_back(backend_, host);
    }
    for (size_t i = 0; i < kLaunches; ++i) {
      const Arguments arguments{.q = tensors_[i % 2].view(),
                                .k = tensors_[2].view(),
                                .v = tensors_[3 + i].view(),
                                .o = tensors_[(i + 1) % 2].view(),
                                .batch = problem.batch,
                                .seqlen_q = problem.seqlen_q,
                                .seqlen_kv = problem.seqlen_q,
                                .scale = 4};  // one key or two decide, so that every query matters
      kernel.family->pack(problem, kernel.config, arguments, backend_.tensor_maps(), launches_[i],
                          backend_.device().multiprocessors);
    }
  }

  // What the last launch wrote, of queries that are random by `seed`.
  std::vector<std::byte> run(uint64_t seed, bool apart) {
    HostTensor queries = hosts_[0];
    queries.fill_random(seed);
    const size_t bytes = queries.storage().size();
    backend_.copy(tensors_[0].view().data, queries.storage().data(), bytes);
    for (const Launch& launch : launches_) {
      backend_.launch(module_, launch, backend_.planning_stream());
      if (apart) backend_.synchronize(backend_.planning_stream());
    }
    backend_.synchronize(backend_.planning_stream());
    std::vector<std::byte> output(bytes);
    backend_.copy(output.data(), tensors_[kLaunches % 2].view().data, bytes);
    return output;
  }

 private:
  Backend& backend_;
  const Module& module_;
  std::deque<HostTensor> hosts_;
  std::deque<DeviceTensor> tensors_;  // of these
  Launch launches_[kLaunches];
};

// A chain whose launches wait for one another, however early they begin, against one of launches apart.
void check_chain(KernelBench& bench, const Problem& problem, const ForwardKernel& kernel, int repeats) {
  Chain chain(bench, problem, kernel);
  const std::vector<std::byte> expected = chain.run(1, true);
  const bool queries_matter = expected != chain.run(2, true);
  int different = 0;
  for (int i = 0; i < repeats; ++i)
    different += chain.run(1, false) != expected;
  INFO(describe(problem) << " with " << to_string(kernel.config));
  CHECK(queries_matter);
  CHECK(different == 0);
}

Problem chain_problem(int64_t heads, int64_t rows) {
  return {.dtype = DType::bf16,
          .mask = Mask::causal,
          .batch = 1,
          .heads_q = heads,
          .heads_kv = heads,
          .seqlen_q = rows,
          .seqlen_kv = rows,
          .head_dim = 64,
          .head_dim_v = 64};
}

}  // namespace

TEST_CASE("launches of flash_fwd_sm90 that begin early wait for the outputs of those before", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  if (bench.backend().device().arch != "sm_90a") {
    WARN("skipped: the GPU has no warpgroup products");
    return;
  }
  for (const int64_t heads : {2, 300}) {  // fewer tiles than multiprocessors, and more
    const Problem problem = chain_problem(heads, 500);
    for (const int block_m : {64, 128, 192}) {
      const std::optional<ForwardKernel> kernel = first_of(problem, bench.backend().device(), block_m);
      REQUIRE(kernel);
      check_chain(bench, problem, *kernel, 200);
    }
  }
}

TEST_CASE("launches of flash_decode that begin early wait for the outputs of those before", "[gpu]") {
  KernelBench bench = KernelBench::on_cuda();
  for (const int64_t heads : {2, 300}) {
    Problem problem = chain_problem(heads, 64);
    problem.mask = Mask::none;
    for (const Candidate& candidate : enumerate_candidates(problem, bench.backend().device(), {})) {
      if (candidate.family->name() != "flash_decode" || !candidate.verdict.fits) continue;
      check_chain(bench, problem, {*candidate.family, candidate.config}, 200);
    }
  }
}

TEST_CASE("a chain of launches depends on its queries to the end", "[simt]") {
  KernelBench bench = KernelBench::on_simt("sm_90a");
  const Problem problem = chain_problem(1, 150);
  const std::optional<ForwardKernel> kernel = first_of(problem, bench.backend().device(), 64);
  REQUIRE(kernel);
  check_chain(bench, problem, *kernel, 1);
}

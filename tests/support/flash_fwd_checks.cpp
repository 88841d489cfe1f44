#include "support/flash_fwd_checks.h"

#include <algorithm>

#include "kernels/families.h"
#include "support/catch.h"
#include "tune/attention_case.h"

namespace attune {

ForwardKernel::ForwardKernel(Config config) : family(&flash_fwd_family()), config(std::move(config)) {}

ForwardKernel::ForwardKernel(const Family& family, Config config)
    : family(&family), config(std::move(config)) {}

ForwardKernel first_choice(const Problem& problem, const DeviceSpec& device) {
  const Candidate first = enumerate_candidates(problem, device, {}).at(0);
  return {*first.family, first.config};
}

namespace {

void check_case(KernelBench& bench, const FlashFwdCase& flash_case, const ForwardKernel& kernel) {
  const auto& [family, config] = kernel;
  const Module& module = bench.module(flash_case.problem, *family, config);
  for (const FlashFwdCase::Lengths& lengths : flash_case.lengths) {
    Problem problem = flash_case.problem;
    problem.seqlen_q = lengths.q;
    problem.seqlen_kv = lengths.kv;
    const uint64_t seed = static_cast<uint64_t>(1000 * lengths.q + lengths.kv);
    const AttentionCase attention(problem, seed, flash_case.q_deviation, flash_case.placement);
    const Comparison comparison = attention.check(bench.backend(), *family, config, module);
    INFO(describe(problem) << " " << name_of(problem.layout) << " with " << family->name() << " "
                           << to_string(config));
    INFO(comparison.reason);
    CHECK(comparison.ok);
  }
}

// As in a plan: what a config cannot take, its fallback does.
ForwardKernel kernel_for(const FlashFwdCase& flash_case) {
  const auto& [family, config] = flash_case.kernel;
  const std::optional<FamilyConfig> fallback = family->fallback(flash_case.problem, config);
  if (!fallback || flash_case.placement != Placement::unaligned) return flash_case.kernel;
  return {*fallback->family, fallback->config};
}

}  // namespace

void check_flash_fwd(KernelBench& bench, const std::vector<FlashFwdCase>& cases) {
  std::vector<std::pair<Problem, Candidate>> work;
  for (const FlashFwdCase& flash_case : cases) {
    const ForwardKernel kernel = kernel_for(flash_case);
    work.push_back({flash_case.problem, {.family = kernel.family, .config = kernel.config}});
  }
  bench.precompile(work);
  for (const FlashFwdCase& flash_case : cases)
    check_case(bench, flash_case, kernel_for(flash_case));
}

void check_repeatable(KernelBench& bench, const Problem& problem, const ForwardKernel& kernel, int repeats) {
  const Family& family = *kernel.family;
  const Config& config = kernel.config;
  const Module& module = bench.module(problem, family, config);
  const AttentionCase attention(problem, 5, 1);
  const AttentionOutput first = attention.run(bench.backend(), family, config, module);
  int different = 0;
  for (int i = 0; i < repeats; ++i) {
    const AttentionOutput again = attention.run(bench.backend(), family, config, module);
    const bool equal = std::ranges::equal(first.o.storage(), again.o.storage()) &&
                       std::ranges::equal(first.lse.storage(), again.lse.storage());
    if (!equal) ++different;
  }
  INFO(describe(problem) << " with " << to_string(config));
  CHECK(different == 0);
}

}  // namespace attune

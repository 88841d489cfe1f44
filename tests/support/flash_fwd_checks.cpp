#include "support/flash_fwd_checks.h"

#include <algorithm>

#include "kernels/families.h"
#include "support/catch.h"
#include "tune/attention_case.h"

namespace attune {

Config first_choice(const Problem& problem, const DeviceSpec& device) {
  return enumerate_candidates(problem, device, {}).at(0).config;
}

namespace {

void check_case(KernelBench& bench, const FlashFwdCase& flash_case, const Config& config) {
  const Family& family = flash_fwd_family();
  const Module& module = bench.module(flash_case.problem, family, config);
  for (const FlashFwdCase::Lengths& lengths : flash_case.lengths) {
    Problem problem = flash_case.problem;
    problem.seqlen_q = lengths.q;
    problem.seqlen_kv = lengths.kv;
    const uint64_t seed = static_cast<uint64_t>(1000 * lengths.q + lengths.kv);
    const AttentionCase attention(problem, seed, flash_case.q_deviation, flash_case.placement);
    const Comparison comparison = attention.check(bench.backend(), family, config, module);
    INFO(describe(problem) << " " << name_of(problem.layout) << " with " << to_string(config));
    INFO(comparison.reason);
    CHECK(comparison.ok);
  }
}

// As in a plan: what a config cannot take, its fallback does.
Config config_for(const FlashFwdCase& flash_case) {
  const std::optional<FamilyConfig> fallback =
      flash_fwd_family().fallback(flash_case.problem, flash_case.config);
  return fallback && flash_case.placement == Placement::unaligned ? fallback->config : flash_case.config;
}

}  // namespace

void check_flash_fwd(KernelBench& bench, const std::vector<FlashFwdCase>& cases) {
  std::vector<std::pair<Problem, Candidate>> work;
  for (const FlashFwdCase& flash_case : cases) {
    work.push_back({flash_case.problem, {.family = &flash_fwd_family(), .config = config_for(flash_case)}});
  }
  bench.precompile(work);
  for (const FlashFwdCase& flash_case : cases)
    check_case(bench, flash_case, config_for(flash_case));
}

void check_repeatable(KernelBench& bench, const Problem& problem, const Config& config, int repeats) {
  const Family& family = flash_fwd_family();
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

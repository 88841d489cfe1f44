#include "support/flash_bwd_checks.h"

#include <algorithm>
#include <optional>
#include <span>

#include "kernels/families.h"
#include "support/catch.h"

namespace attune {
namespace {

bool same_bits(const HostTensor& a, const HostTensor& b) {
  return std::ranges::equal(a.storage(), b.storage());
}

// Whether two cases differ in their stage only.
bool same_inputs(const FlashBwdCase& a, const FlashBwdCase& b) {
  Problem problem = b.problem;
  problem.operation = a.problem.operation;
  return a.problem == problem && a.lengths == b.lengths && a.q_deviation == b.q_deviation &&
         a.placement == b.placement;
}

// Stages of the same inputs: the reference of their gradients, which takes longest by far, is computed once.
void check_lengths(KernelBench& bench, std::span<const FlashBwdCase> stages,
                   const FlashBwdCase::Lengths& lengths) {
  std::optional<BackwardCase> backward;
  for (const FlashBwdCase& one : stages) {
    Problem problem = one.problem;
    problem.seqlen_q = lengths.q;
    problem.seqlen_kv = lengths.kv;
    const uint64_t seed = static_cast<uint64_t>(1000 * lengths.q + lengths.kv);
    if (!backward) backward.emplace(problem, seed, one.q_deviation, one.placement);
    backward->take_stage(problem.operation);
    const Family& family = *one.family;
    const Comparison comparison =
        backward->check(bench.backend(), family, one.config, bench.module(one.problem, family, one.config));
    INFO(describe(problem) << " " << name_of(problem.layout) << " with " << to_string(one.config));
    INFO(comparison.reason);
    CHECK(comparison.ok);
  }
}

}  // namespace

const Family& family_of(const Problem& stage) {
  switch (stage.operation) {
    case Operation::backward_delta:
      return flash_bwd_delta_family();
    case Operation::backward_dkv:
      return flash_bwd_dkv_family();
    default:
      return flash_bwd_dq_family();
  }
}

std::vector<FlashBwdCase> every_stage(const FlashBwdCase& of_stage, const Config& dkv, const Config& dq,
                                      const Config& delta) {
  std::vector<FlashBwdCase> cases(3, of_stage);
  cases[0].problem.operation = Operation::backward_delta, cases[0].config = delta;
  cases[1].problem.operation = Operation::backward_dkv, cases[1].config = dkv;
  cases[2].problem.operation = Operation::backward_dq, cases[2].config = dq;
  return cases;
}

void check_flash_bwd(KernelBench& bench, std::vector<FlashBwdCase> cases) {
  std::vector<std::pair<Problem, Candidate>> work;
  for (FlashBwdCase& one : cases) {
    if (one.config.empty()) {
      Problem longest = one.problem;
      longest.seqlen_q = longest.seqlen_kv = 4096;
      const Candidate first = enumerate_candidates(longest, bench.backend().device(), {}).at(0);
      one.family = first.family, one.config = first.config;
    }
    if (!one.family) one.family = &family_of(one.problem);
    // As in a plan: what a config cannot take, its fallback does.
    if (one.placement == Placement::unaligned) {
      if (const auto fallback = one.family->fallback(one.problem, one.config))
        one.family = fallback->family, one.config = fallback->config;
    }
    work.push_back({one.problem, {.family = one.family, .config = one.config}});
  }
  bench.precompile(work);
  for (auto begin = cases.begin(); begin != cases.end();) {
    const auto end = std::find_if_not(begin, cases.end(),
                                      [&](const FlashBwdCase& one) { return same_inputs(*begin, one); });
    for (const FlashBwdCase::Lengths& lengths : begin->lengths)
      check_lengths(bench, {begin, end}, lengths);
    begin = end;
  }
}

void check_backward_repeatable(KernelBench& bench, const Problem& stage, const Candidate& candidate,
                               int repeats) {
  const Family& family = *candidate.family;
  const Config& config = candidate.config;
  const Module& module = bench.module(stage, family, config);
  const BackwardCase backward(stage, 5, 1);
  const BackwardOutput first = backward.run(bench.backend(), family, config, module);
  int different = 0;
  for (int i = 0; i < repeats; ++i) {
    const BackwardOutput again = backward.run(bench.backend(), family, config, module);
    const bool equal = same_bits(first.row_terms, again.row_terms) && same_bits(first.dq, again.dq) &&
                       same_bits(first.dk, again.dk) && same_bits(first.dv, again.dv);
    if (!equal) ++different;
  }
  INFO(describe(stage) << " with " << to_string(config));
  CHECK(different == 0);
}

}  // namespace attune

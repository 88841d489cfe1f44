// Demo, step 3: does it fit. The resource model prunes before anything is compiled.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "device/device_spec.h"
#include "kernels/registry.h"
#include "tools/demo_steps.h"

namespace attune {
namespace {

constexpr size_t kShown = 2;

struct Pruning {
  size_t all = 0;
  std::vector<Candidate> fitting, pruned;
};

Pruning prune(const Problem& problem, const DeviceSpec& device) {
  Pruning result;
  for (Candidate& candidate : enumerate_candidates(problem, device, Margin{})) {
    ++result.all;
    (candidate.verdict.fits ? result.fitting : result.pruned).push_back(std::move(candidate));
  }
  return result;
}

// Need and limit without the margin, which is 0 here: "smem 156672 > 101376".
std::string short_reason(const Candidate& candidate) {
  return candidate.verdict.reason.substr(0, candidate.verdict.reason.find(" ("));
}

void show_pruned(const Pruning& pruning, size_t count) {
  for (size_t i = 0; i < std::min(count, pruning.pruned.size()); ++i) {
    demo_line(
        fmt::format("{:<58} {}", demo_config(pruning.pruned[i].config), short_reason(pruning.pruned[i])));
  }
}

}  // namespace

bool demo_fits(const DemoMachine&) {
  const Problem problem = large_problem();
  const DeviceSpec large = known_device("sm_90a").value();
  const DeviceSpec small = known_device("sm_86").value();
  const Pruning on_large = prune(problem, large);
  const Pruning on_small = prune(problem, small);

  demo_heading(3, fmt::format("Does it fit? {} on {}", describe(problem), large.arch));
  demo_line(fmt::format(
      "{} of {} candidates fit its {} B and {} registers; the cost model's first:", on_large.fitting.size(),
      on_large.all, large.shared_per_block, large.registers_per_thread));
  for (size_t i = 0; i < std::min(kShown, on_large.fitting.size()); ++i) {
    const Candidate& candidate = on_large.fitting[i];
    demo_line(fmt::format("{:<58} smem {:>6}, registers ~{}", demo_config(candidate.config),
                          candidate.use.shared_bytes, candidate.use.registers_per_thread));
  }
  demo_line(fmt::format("{} are pruned before anything is compiled, such as:", on_large.pruned.size()));
  show_pruned(on_large, kShown);
  demo_line(fmt::format("On {}, which offers {} B, {} are:", small.arch, small.shared_per_block,
                        on_small.pruned.size()));
  show_pruned(on_small, 1);
  return !on_large.fitting.empty() && !on_small.fitting.empty() && !on_small.pruned.empty();
}

}  // namespace attune

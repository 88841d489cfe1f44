#include "tools/rebuilt_winner.h"

#include <fmt/format.h>

#include "base/parallel.h"
#include "cache/compiled_images.h"
#include "device/keyed_device.h"
#include "kernels/registry.h"

namespace attune {
namespace {

RebuiltWinner rebuild(const RecordedProblem& problem, const TemplateStore& templates, Compiler& compiler,
                      CompiledImages& images) {
  RebuiltWinner winner{.recorded = problem.ranked.front().record};
  winner.same_compiler = winner.recorded.compiler == compiler.identity();
  const Family* family = find_family(winner.recorded.family);
  const std::optional<Config> config = config_from_string(winner.recorded.config);
  const std::optional<KeyedDevice> device = device_of_key(problem.device_key);
  if (!family || !config || !device) {
    winner.problem = "family, config or device unknown";
    return winner;
  }
  // A row is hostile input: nothing goes into a source that the config space does not allow.
  if (std::string reason = family->inapplicable_reason(problem.problem, device->spec); !reason.empty()) {
    winner.problem = std::move(reason);
    return winner;
  }
  winner.problem = family->space(problem.problem, device->spec).reject_reason(*config);
  if (!winner.problem.empty()) return winner;
  const ImageResult built =
      images.get_or_build(compiler, specialize(templates, *family, problem.problem, *config));
  if (!built.result->image) {
    winner.problem = "does not compile: " + built.result->log.substr(0, built.result->log.find('\n'));
    return winner;
  }
  winner.hash = built.result->image->hash;
  winner.registers = built.result->image->registers;
  winner.spill_bytes = built.result->image->spill_bytes;
  return winner;
}

// "nvrtc 13.0" of "nvrtc 13.0 sm_90a --gpu-architecture=...".
std::string short_name(const std::string& compiler) {
  return compiler.substr(0, compiler.find(' ', compiler.find(' ') + 1));
}

}  // namespace

std::vector<RebuiltWinner> rebuild_winners(const std::vector<RecordedProblem>& problems,
                                           const TemplateStore& templates, Compiler& compiler) {
  ImageCache none(std::nullopt, Log());  // built here and now, not taken from a cache
  CompiledImages images(none);
  std::vector<RebuiltWinner> winners(problems.size());
  parallel_for(static_cast<int64_t>(problems.size()), [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      winners[i] = rebuild(problems[i], templates, compiler, images);
  });
  return winners;
}

std::string verdict_of(const RebuiltWinner& winner, const Compiler& compiler) {
  if (winner.hash.empty()) return winner.problem;
  if (winner.is_equal()) return "equal";
  if (winner.same_compiler) return "DIFFERS: the templates have changed since";
  const std::string here = short_name(compiler.identity());
  const std::string there = short_name(winner.recorded.compiler);
  return fmt::format("{} here, {} there{}", here, there, here == there ? " with other options" : "");
}

}  // namespace attune

#include "tools/inspect_problem.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <optional>

#include "base/error.h"
#include "capi/device_choice.h"
#include "cli/program.h"
#include "cli/usage_error.h"
#include "kernels/registry.h"
#include "problem/bucket.h"
#include "problem/stages.h"
#include "specialize/kernel_source.h"
#include "tools/candidate_table.h"

namespace attune {
namespace {

// All candidates; throws when no family computes the problem.
std::vector<Candidate> candidates_for(const Problem& problem, const DeviceSpec& device,
                                      const Margin& margin) {
  std::string why_not;
  std::vector<Candidate> candidates = enumerate_candidates(problem, device, margin, &why_not);
  if (candidates.empty()) {
    fail(ATTUNE_ERROR_UNSUPPORTED, "no family computes {} on {}: {}", describe(problem), device.arch,
         why_not);
  }
  return candidates;
}

// The candidate the option names, "flash_fwd BLOCK_M=..." or only the config; without it the cost model's
// first.
Candidate chosen(std::vector<Candidate> candidates, const std::string& wanted) {
  if (wanted.empty()) return candidates.front();
  for (Candidate& candidate : candidates) {
    if (wanted == name_of(candidate) || wanted == to_string(candidate.config)) return std::move(candidate);
  }
  fail_usage("--config '{}' is none of the {} candidates (attune-inspect why lists them); one is '{}'",
             wanted, candidates.size(), name_of(candidates.front()));
}

void print_file(const SourceFile& file) {
  fmt::print("// ---- {}\n{}", file.path, file.text);
  if (file.text.empty() || file.text.back() != '\n') fmt::print("\n");
}

// Prints what becomes of a problem of one stage; false when nothing fits.
bool explain(const Problem& problem, const DeviceSpec& device, const Margin& margin) {
  const std::vector<Candidate> candidates = candidates_for(problem, device, margin);
  const auto fitting =
      std::count_if(candidates.begin(), candidates.end(), [](const Candidate& c) { return c.verdict.fits; });
  fmt::print(
      "{}\n  on {} ({}): {} B of shared memory for a block, {} registers for a thread, {} multiprocessors\n",
      describe(problem), device.name, device.arch, device.shared_per_block, device.registers_per_thread,
      device.multiprocessors);
  fmt::print("  bucket {}\n  margin {:g} % + {} B; need/limit below is after it\n",
             bucket_key(problem, device.multiprocessors), 100 * margin.fraction, margin.bytes);
  fmt::print("{}{} of {} candidates fit; predicted times order candidates, and mean no more than that\n",
             candidate_table(candidates), fitting, candidates.size());
  return fitting > 0;
}

}  // namespace

void ProblemAtDevice::add_to(CLI::App& command) {
  problem_.add_to(command);
  machine_.add_device(command);
  machine_.add_target(command);
  machine_.add_margin(command);
}

ContextOptions ProblemAtDevice::options() const {
  const attune_context_options asked = machine_.context_options();
  return resolve_options(&asked);
}

DeviceSpec ProblemAtDevice::device() const {
  if (std::optional<DeviceSpec> target = machine_.target()) return *std::move(target);
  const ContextOptions resolved = options();
  return make_backend(resolved.device, resolved.nvrtc_path, resolved.simt_options, Log())->device();
}

void InspectWhy::add_to(CLI::App& command) {
  question_.add_to(command);
}

int InspectWhy::run() const {
  const Margin margin = question_.options().margin;
  const DeviceSpec device = question_.device();
  int code = kExitOk;
  for (const Problem& stage : stages_of(question_.problem())) {
    if (!explain(stage, device, margin)) code = kExitFailed;
  }
  return code;
}

void InspectSource::add_to(CLI::App& command) {
  question_.add_to(command);
  command.add_option("--config", config_,
                     "such as \"BLOCK_M=128 BLOCK_N=64 ...\"; default the cost model's first choice");
  CLI::Option* header = command.add_flag("--header", header_only_, "only attune_config.h");
  command.add_flag("--list", list_, "only the names of the files and the hash")->excludes(header);
}

int InspectSource::run() const {
  const Problem problem = question_.problem();
  if (const std::vector<Problem> stages = stages_of(problem); stages.size() > 1) {
    fail_usage("{} is done in {} stages, each with a source of its own: ask for one by --op {}",
               name_of(problem.operation), stages.size(), name_of(stages[1].operation));
  }
  const ContextOptions options = question_.options();
  const Candidate candidate = chosen(candidates_for(problem, question_.device(), options.margin), config_);
  const TemplateStore templates(options.template_dir);
  const KernelSource source = specialize(templates, *candidate.family, problem, candidate.config);
  if (header_only_) {
    fmt::print("{}", source.file("attune_config.h").text);
    return kExitOk;
  }
  fmt::print("// {}: {}\n// hash {}, {} files, main {}\n", name_of(candidate), static_key(problem),
             source.hash, source.files.size(), source.main_path);
  for (const SourceFile& file : source.files) {
    if (list_)
      fmt::print("{} ({} bytes)\n", file.path, file.text.size());
    else
      print_file(file);
  }
  return kExitOk;
}

}  // namespace attune

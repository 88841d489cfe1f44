// Demo, step 2: is it right. Kernels on the emulator against the double-precision reference, and a planted
// fault.
#include <fmt/format.h>

#include "base/environment.h"
#include "base/error.h"
#include "base/parallel.h"
#include "capi/device_choice.h"
#include "kernels/registry.h"
#include "specialize/kernel_source.h"
#include "tools/demo_steps.h"
#include "tune/attention_case.h"
#include "tune/row_softmax_case.h"

namespace attune {
namespace {

std::unique_ptr<Backend> emulator() {
  return make_backend({.kind = DeviceKind::simt, .arch = ""}, "",
                      environment_value(EnvironmentVariable::simt).value_or(""), Log());
}

// Throws Error (COMPILE_FAILED).
std::unique_ptr<Module> build(Backend& backend, const KernelSource& source, const Candidate& candidate) {
  const CompileResult result = backend.compiler().compile(source);
  if (!result.image) fail(ATTUNE_ERROR_COMPILE_FAILED, "{} did not compile: {}", source.entry, result.log);
  return backend.load(*result.image, static_cast<uint32_t>(candidate.use.shared_bytes));
}

// Three that differ: the cost model's first, one from the middle and its last.
std::vector<Candidate> three_of(const Problem& problem, const DeviceSpec& device) {
  std::vector<Candidate> fitting = enumerate_candidates(problem, device, Margin{});
  std::erase_if(fitting, [](const Candidate& candidate) { return !candidate.verdict.fits; });
  if (fitting.size() < 3) fail(ATTUNE_ERROR_NO_FEASIBLE_CONFIG, "only {} candidates fit", fitting.size());
  return {fitting.front(), fitting[fitting.size() / 2], fitting.back()};
}

bool check_attention(Backend& backend, const TemplateStore& templates) {
  const Problem problem = small_problem();
  const std::vector<Candidate> candidates = three_of(problem, backend.device());
  std::vector<std::unique_ptr<Module>> modules(candidates.size());
  parallel_for(static_cast<int64_t>(candidates.size()), [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const KernelSource source = specialize(templates, *candidates[i].family, problem, candidates[i].config);
      modules[i] = build(backend, source, candidates[i]);
    }
  });
  const AttentionCase attention(problem, 1, 1.0);
  bool all_right = true;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Comparison comparison =
        attention.check(backend, *candidates[i].family, candidates[i].config, *modules[i]);
    demo_line(fmt::format("{:<58} {} error {:.2f} of the tolerance", demo_config(candidates[i].config),
                          comparison.ok ? "right," : "WRONG,", comparison.worst_ratio));
    if (!comparison.ok) demo_line("  " + comparison.reason);
    all_right = all_right && comparison.ok;
  }
  return all_right;
}

// The kernel's text without its first block_barrier().
KernelSource without_barrier(KernelSource source) {
  constexpr std::string_view kBarrier = "  block_barrier();\n";
  for (SourceFile& file : source.files) {
    if (file.path != source.main_path) continue;
    const size_t at = file.text.find(kBarrier);
    if (at == std::string::npos) fail(ATTUNE_ERROR_INTERNAL, "{} has no barrier to delete", file.path);
    file.text.erase(at, kBarrier.size());
  }
  source.hash = hash_of(source.files);
  return source;
}

// What the emulator says of row_softmax; empty when the result is right.
std::string fault_of(Backend& backend, const KernelSource& source, const Candidate& candidate,
                     const Problem& problem) {
  try {
    const std::unique_ptr<Module> module = build(backend, source, candidate);
    const Comparison comparison =
        RowSoftmaxCase(problem, 1, 1.0).check(backend, *candidate.family, candidate.config, *module);
    return comparison.ok ? "" : comparison.reason;
  } catch (const Error& error) {
    if (error.status() != ATTUNE_ERROR_LAUNCH_FAILED) throw;
    return error.what();
  }
}

bool catches_planted_fault(Backend& backend, const TemplateStore& templates) {
  const Problem problem{
      .operation = Operation::row_softmax, .dtype = DType::f32, .seqlen_q = 7, .seqlen_kv = 300};
  const Config config{{"WARPS", 4}, {"ROWS_PER_BLOCK", 2}};
  Candidate candidate{.family = find_family("row_softmax"), .config = config};
  candidate.use = candidate.family->resources(problem, config);
  const KernelSource source = specialize(templates, *candidate.family, problem, config);
  const std::string before = fault_of(backend, source, candidate, problem);
  const std::string after = fault_of(backend, without_barrier(source), candidate, problem);
  demo_line(
      fmt::format("row_softmax as written: {}. With its first block_barrier() deleted, the emulator says:",
                  before.empty() ? "right" : "WRONG, " + before));
  demo_wrapped("  " + (after.empty() ? "NOTHING: the planted fault was not caught" : after), 3);
  // Any other failure is not the planted one.
  const bool caught = after.find("data race") != std::string::npos;
  if (!after.empty() && !caught) demo_line("  which is no data race: the planted fault was not caught");
  return before.empty() && caught;
}

}  // namespace

bool demo_right(const DemoMachine& machine) {
  demo_heading(2, fmt::format("Is it right? {} on the emulator", describe(small_problem())));
  if (!machine.has_emulator()) {
    demo_wrapped("skipped: " + machine.host.problem, 2);
    return true;
  }
  const std::unique_ptr<Backend> backend = emulator();
  const TemplateStore templates;
  const bool attention = check_attention(*backend, templates);
  const bool planted = catches_planted_fault(*backend, templates);
  return attention && planted;
}

}  // namespace attune

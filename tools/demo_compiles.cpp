// Demo, step 4: does it compile. NVRTC needs no GPU, so it compiles for GPUs that are not here.
#include <fmt/format.h>

#include <array>

#include "base/error.h"
#include "base/parallel.h"
#include "cuda/nvrtc_compiler.h"
#include "kernels/registry.h"
#include "specialize/kernel_source.h"
#include "tools/demo_steps.h"

namespace attune {
namespace {

constexpr std::array kArchitectures = {"sm_80", "sm_86", "sm_90a", "sm_120a"};

struct Compilation {
  std::string line;
  bool ok = true;
};

// The cost model's first choice for the architecture, compiled. An NVRTC too old for it is no fault.
Compilation compile_for(const std::string& arch, const NvrtcSearch& nvrtc, const TemplateStore& templates) {
  const Problem problem = large_problem();
  const Candidate first = enumerate_candidates(problem, known_device(arch).value(), Margin{}).front();
  const std::string text = fmt::format("{:<8} {:<58}", arch, demo_config(first.config));
  try {
    NvrtcCompiler compiler(nvrtc, arch);
    const CompileResult result =
        compiler.compile(specialize(templates, *first.family, problem, first.config));
    if (!result.image) return {.line = text + " FAILED: " + result.log, .ok = false};
    return {.line = fmt::format("{} {} regs, spills {} B, {:.1f} s", text, result.image->registers,
                                result.image->spill_bytes, result.image->compile_seconds)};
  } catch (const Error& error) {
    if (error.status() != ATTUNE_ERROR_UNSUPPORTED) throw;
    return {.line = fmt::format("{:<8} skipped: {}", arch, error.what())};
  }
}

}  // namespace

bool demo_compiles(const DemoMachine& machine) {
  demo_heading(4, "Does it compile? The first choice for four GPUs that need not be here, by NVRTC");
  if (!machine.nvrtc.library) {
    demo_wrapped("skipped: " + machine.nvrtc.choice.reason, 3);
    return true;
  }
  const TemplateStore templates;
  std::array<Compilation, kArchitectures.size()> compilations;
  parallel_for(kArchitectures.size(), [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      compilations[i] = compile_for(kArchitectures[i], machine.nvrtc, templates);
    }
  });
  bool all_ok = true;
  for (const Compilation& compilation : compilations) {
    demo_line(compilation.line);
    all_ok = all_ok && compilation.ok;
  }
  return all_ok;
}

}  // namespace attune

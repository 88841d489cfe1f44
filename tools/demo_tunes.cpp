// Demo, step 6: how fast is it. On a GPU the large problem is tuned for real; anywhere else the
// recordings of a GPU speak, if there are any.
#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "capi/context.h"
#include "cli/units.h"
#include "tools/demo_steps.h"

namespace attune {
namespace {

constexpr double kTuningSeconds = 25;

}  // namespace

bool demo_tunes(const DemoMachine& machine) {
  const Problem problem = large_problem();
  demo_heading(6, fmt::format("How fast is it? {}", describe(problem)));
  if (!machine.has_gpu()) {
    demo_line("not measured: no GPU here, and an emulator's clock would say nothing. On a GPU machine:");
    demo_line("  attune-tune --batch 2 --heads-q 32 --heads-kv 8 --seqlen 4096 --head-dim 128 --causal");
    return demo_recorded(machine);
  }
  const ScratchDirectory scratch;
  const std::string cache = scratch.path() / "cache";
  attune_context_options asked = ATTUNE_CONTEXT_OPTIONS_INIT;
  asked.device = "cuda";
  asked.cache_dir = cache.c_str();
  attune_context context(resolve_options(&asked));
  TuneOptions options;
  options.seconds = kTuningSeconds;
  const TuneReport report = tune(problem, context.tune_resources(), options);
  const auto timed =
      std::count_if(report.trials.begin(), report.trials.end(), [](const Trial& t) { return t.timed(); });
  demo_line(fmt::format("{} candidates pruned, compiled, checked and raced in {}, {} of them timed",
                        report.trials.size(), duration(report.seconds), timed));
  if (!report.winner) {
    demo_line("NO WINNER: " + report.note);
    return false;
  }
  const Trial& winner = report.trials[*report.winner];
  const Measurement& time = winner.measurement;
  demo_line(
      fmt::format("winner: {} {}", winner.candidate.family->name(), demo_config(winner.candidate.config)));
  demo_line(fmt::format("  {} µs, {} TFLOP/s, {} registers, error {:.2f} of the tolerance",
                        microseconds_with_interval(time.median, time.ci_low, time.ci_high),
                        teraflops(flops(problem), time.median), winner.registers, winner.max_error));
  return true;
}

}  // namespace attune

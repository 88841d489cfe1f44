// Demo, step 6 where there is no GPU: which config wins, by a race that was recorded on one and is run again
// on its samples.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/units.h"
#include "cuda/nvrtc_compiler.h"
#include "db/recorded_problem.h"
#include "db/shipped_db.h"
#include "device/keyed_device.h"
#include "tools/demo_steps.h"
#include "tools/rebuilt_winner.h"
#include "tune/replay.h"

namespace attune {
namespace {

// The large problem, else one of its operation, else any: a recording need not hold it.
const RecordedProblem& problem_to_show(const std::vector<RecordedProblem>& problems) {
  const Problem wanted = large_problem();
  const auto large = std::ranges::find(problems, wanted, &RecordedProblem::problem);
  if (large != problems.end()) return *large;
  const auto alike = std::ranges::find_if(problems, [&](const RecordedProblem& recorded) {
    return recorded.problem.operation == wanted.operation;
  });
  return alike == problems.end() ? problems.front() : *alike;
}

bool show_race(const RecordedProblem& problem, const TuneReport& report) {
  const auto timed = std::ranges::count_if(report.trials, [](const Trial& trial) { return trial.timed(); });
  demo_line(fmt::format("What a GPU did, its race run again on the samples it left{}:",
                        problem.problem == large_problem() ? "" : ", of " + describe(problem.problem)));
  demo_wrapped("recorded on " + provenance_of(problem.records), 2);
  if (!report.winner) {
    demo_line("NO WINNER: " + report.note);
    return false;
  }
  const Trial& winner = report.trials[*report.winner];
  const Measurement& time = winner.measurement;
  demo_line(fmt::format("{} of {} candidates raced; winner: {}", timed, report.trials.size(),
                        demo_config(winner.candidate.config)));
  demo_line(fmt::format("  {} µs, {} TFLOP/s there and then",
                        microseconds_with_interval(time.median, time.ci_low, time.ci_high),
                        teraflops(flops(problem.problem), time.median)));
  return true;
}

bool show_rebuilt(const RecordedProblem& problem, const DemoMachine& machine) {
  if (!machine.nvrtc.library) {
    demo_wrapped("not built again here: " + machine.nvrtc.choice.reason, 3);
    return true;
  }
  NvrtcCompiler compiler(machine.nvrtc, device_of_key(problem.device_key)->spec.arch);
  const RebuiltWinner winner = rebuild_winners({problem}, TemplateStore(), compiler).front();
  const Record& recorded = winner.recorded;
  demo_line(fmt::format("built again here by NVRTC {}: {} registers, spills {} B, code hash {}",
                        to_string(compiler.version()), winner.registers, winner.spill_bytes,
                        winner.hash.empty() ? "none: " + winner.problem : winner.hash.substr(0, 16)));
  if (winner.is_equal()) {
    demo_line("  equal to what was measured there, bit for bit");
  } else if (winner.hash.empty()) {
    demo_line("  WRONG: what was measured there does not compile here");
  } else if (winner.same_compiler) {
    // Whoever changes a template without that GPU at hand must be able to go on.
    demo_line(
        fmt::format("  DIFFERS from the recorded {} registers, spills {} B, code hash {}: the templates have",
                    recorded.registers, recorded.spill_bytes, recorded.image_hash.substr(0, 16)));
    demo_line("  changed since, and the times are those of another kernel (attune-inspect verify lists all)");
  } else {
    demo_line(fmt::format("  recorded {}: no fault, {}", recorded.image_hash.substr(0, 16),
                          verdict_of(winner, compiler)));
    demo_line("  and another compiler makes other code of the same templates");
  }
  return !winner.hash.empty();
}

}  // namespace

bool demo_recorded(const DemoMachine& machine) {
  const std::unique_ptr<TuningDb> recordings = open_shipped_db(Log(ATTUNE_LOG_WARNING, nullptr, nullptr));
  const std::vector<Record> records = recordings->records();
  const std::vector<RecordedProblem> problems = recorded_problems(records);
  if (problems.empty()) {
    demo_line("no recordings of a GPU in this build either");
    return true;
  }
  const RecordedProblem& problem = problem_to_show(problems);
  const bool raced = show_race(problem, replay(problem, *recordings, Log()));
  return show_rebuilt(problem, machine) && raced;
}

}  // namespace attune

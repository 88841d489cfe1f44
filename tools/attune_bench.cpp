// attune-bench: how fast the plans of a list of problems are, or with --host what plans and executes cost the
// host.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "cli/machine_arguments.h"
#include "cli/problem_arguments.h"
#include "cli/program.h"
#include "cli/usage_error.h"
#include "tools/bench_host.h"
#include "tools/bench_problems.h"
#include "tools/bench_report.h"

namespace {

using namespace attune;

class BenchCommand {
 public:
  void add_to(CLI::App& app);
  int run() const { return host_ ? run_host() : run_problems(); }

 private:
  attune_context_options context_options() const;
  int run_problems() const;
  int run_host() const;
  void write(const nlohmann::json& document) const;

  ProblemArguments problem_;
  MachineArguments machine_;
  BenchOptions options_;
  std::string tuning_;
  double tuning_seconds_ = 0;
  double ceiling_tflops_ = 0;
  bool host_ = false;
  std::string json_path_;
};

void BenchCommand::add_to(CLI::App& app) {
  problem_.add_to(app);
  machine_.add_device(app);
  machine_.add_margin(app);
  machine_.add_cache(app);
  machine_.add_log(app);
  const std::string group = "Benchmark";
  app.add_option("--rounds", options_.rounds, "rounds in which the problems take turns; default 5")
      ->group(group)
      ->check(CLI::Range(1, 10000));
  app.add_option("--calls", options_.calls, "timed launches of a problem in a round; default 12")
      ->group(group)
      ->check(CLI::Range(1, 10000));
  app.add_option("--tuning", tuning_, "miss, off or force; default ATTUNE_TUNING, else miss")
      ->group(group)
      ->check(CLI::IsMember({"miss", "off", "force"}));
  app.add_option("--tuning-seconds", tuning_seconds_, "bound on tuning, for each problem; default 3")
      ->group(group)
      ->type_name("SECONDS");
  app.add_option("--ceiling", ceiling_tflops_,
                 "what the device could do at best: adds a column with the fraction")
      ->group(group)
      ->type_name("TFLOP/s");
  app.add_flag("--host", host_,
               "instead: what plans and executes cost the host, and the bounds they must hold")
      ->group(group);
  app.add_option("--json", json_path_, "write the results to this file, too")
      ->group(group)
      ->type_name("FILE");
}

attune_context_options BenchCommand::context_options() const {
  attune_context_options asked = machine_.context_options();
  if (tuning_ == "miss") asked.tuning = ATTUNE_TUNING_MISS;
  if (tuning_ == "off") asked.tuning = ATTUNE_TUNING_OFF;
  if (tuning_ == "force") asked.tuning = ATTUNE_TUNING_FORCE;
  asked.tuning_seconds = tuning_seconds_;
  return asked;
}

void BenchCommand::write(const nlohmann::json& document) const {
  if (json_path_.empty()) return;
  const std::string reason = write_file_atomically(json_path_, document.dump(1) + "\n");
  if (!reason.empty()) fail(ATTUNE_ERROR_INTERNAL, "--json: {}", reason);
}

int BenchCommand::run_problems() const {
  if (!(ceiling_tflops_ >= 0)) fail_usage("--ceiling {}: less than 0 TFLOP/s", ceiling_tflops_);
  const std::vector<Problem> problems = problem_.problems();
  const attune_context_options asked = context_options();
  attune_context context(resolve_options(&asked));
  const std::vector<BenchRow> rows = bench_problems(context, problems, options_);
  const BenchContext described = describe_bench(*context.backend, options_, ceiling_tflops_);
  fmt::print("{}", bench_text(rows, described));
  write(bench_json(rows, described));
  const bool refused =
      std::any_of(rows.begin(), rows.end(), [](const BenchRow& r) { return !r.refused.empty(); });
  return refused ? kExitFailed : kExitOk;
}

int BenchCommand::run_host() const {
  const attune_context_options asked = context_options();
  const std::vector<HostCost> costs = bench_host(resolve_options(&asked));
  fmt::print("{}", host_cost_text(costs));
  write(host_cost_json(costs));
  return any_missed(costs) ? kExitFailed : kExitOk;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Times the plans of problems on a device; --host: what attune costs the host.",
               "attune-bench");
  BenchCommand command;
  command.add_to(app);
  return run_program(app, argc, argv, [&] { return command.run(); });
}

#include "tuner/tune_command.h"

#include <unistd.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "capi/context.h"
#include "cli/program.h"
#include "cli/usage_error.h"
#include "cuda/nvrtc_compiler.h"
#include "dispatch/lookup.h"
#include "tuner/progress.h"
#include "tuner/report_json.h"
#include "tuner/report_table.h"

namespace attune {
namespace {

// The emulator takes seconds for a candidate, and which of them is fast it cannot say.
constexpr size_t kSimtCandidates = 8;

// A place that tunes, or only compiles, one problem after the other.
class TuneSite {
 public:
  virtual ~TuneSite() = default;
  virtual const ReportContext& context() const = 0;
  virtual TuneReport run(const Problem& problem, const TuneOptions& options) = 0;
};

class DeviceSite final : public TuneSite {
 public:
  explicit DeviceSite(const ContextOptions& options) : library_(options) {
    const Backend& backend = *library_.backend;
    context_ = {
        .device = fmt::format("{} ({}, {})", backend.device().name, backend.name(), backend.device().arch),
        .multiprocessors = backend.device().multiprocessors,
        .timings_mean_speed = backend.timings_mean_speed(),
        .provenance = backend.provenance()};
  }
  const ReportContext& context() const override { return context_; }
  TuneReport run(const Problem& problem, const TuneOptions& options) override {
    // What was good before the templates changed, or nearby, is tried first, as when the library tunes.
    TuneOptions with_seeds = options;
    with_seeds.seeds = Lookup(problem, library_.planner_resources()).seeds();
    return tune(problem, library_.tune_resources(), with_seeds);
  }

 private:
  attune_context library_;
  ReportContext context_;
};

class TargetSite final : public TuneSite {
 public:
  TargetSite(const DeviceSpec& target, const ContextOptions& options)
      : target_(target),
        templates_(options.template_dir),
        disk_(options.cache_dir, Log(options.log_level, options.log_callback, options.log_user_data)),
        images_(disk_),
        compiler_(make_compile_only(target.arch, options.nvrtc_path)),
        context_{.device = fmt::format("{} (limits of a {})", target.arch, target.name),
                 .multiprocessors = target.multiprocessors,
                 .compiled_only = true} {}
  const ReportContext& context() const override { return context_; }
  TuneReport run(const Problem& problem, const TuneOptions& options) override {
    return compile_only(problem, target_, *compiler_, images_, templates_, options);
  }

 private:
  const DeviceSpec target_;
  const TemplateStore templates_;
  ImageCache disk_;
  CompiledImages images_;
  const std::unique_ptr<Compiler> compiler_;
  const ReportContext context_;
};

std::unique_ptr<TuneSite> open_site(const std::optional<DeviceSpec>& target, const ContextOptions& options) {
  if (target) return std::make_unique<TargetSite>(*target, options);
  return std::make_unique<DeviceSite>(options);
}

// A tuning run succeeds when it names a winner, a compile-only run when everything that fits compiles.
bool succeeded(const TuneReport& report, bool compiled_only) {
  if (!compiled_only) return report.winner.has_value();
  return std::none_of(report.trials.begin(), report.trials.end(),
                      [](const Trial& trial) { return trial.outcome == Outcome::compile_failed; });
}

void write_json(const std::string& path, const nlohmann::json& reports) {
  const std::string reason = write_file_atomically(path, reports.dump(1) + "\n");
  if (!reason.empty()) fail(ATTUNE_ERROR_INTERNAL, "--json: {}", reason);
}

}  // namespace

void TuneCommand::add_to(CLI::App& app) {
  problem_.add_to(app);
  machine_.add_device(app);
  machine_.add_target(app);
  machine_.add_margin(app);
  machine_.add_cache(app);
  machine_.add_log(app);
  const std::string group = "Tuning";
  CLI::Option* target = app.get_option("--target");
  CLI::Option* only =
      app.add_flag("--compile-only", compile_only_, "compile for --target and report; nothing is run");
  target->needs(only);
  only->group(group)->needs(target);
  app.add_option("--time", seconds_, "bound on the time for each problem, in seconds; default none")
      ->group(group)
      ->type_name("SECONDS");
  app.add_flag("--force", force_, "time again what the database answers")->group(group);
  app.add_option(
         "--max-candidates", max_candidates_,
         "try N: what the database knows to be good, then the cost model's first; default all, on simt 8")
      ->group(group)
      ->type_name("N");
  app.add_option("--json", json_path_, "write the results to this file, too")
      ->group(group)
      ->type_name("FILE");
}

TuneOptions TuneCommand::tune_options() const {
  if (!(seconds_ >= 0)) fail_usage("--time {}: less than 0 seconds", seconds_);
  if (max_candidates_ < 0) fail_usage("--max-candidates {}: less than 0", max_candidates_);
  TuneOptions options;
  options.seconds = seconds_;
  options.force = force_;
  options.max_candidates = static_cast<size_t>(max_candidates_);
  return options;
}

int TuneCommand::run() const {
  const std::vector<Problem> problems = problem_.stages();
  TuneOptions options = tune_options();
  const attune_context_options asked = machine_.context_options();
  const ContextOptions resolved = resolve_options(&asked);
  options.margin = resolved.margin;
  const std::unique_ptr<TuneSite> site = open_site(machine_.target(), resolved);
  const bool emulates = !compile_only_ && !site->context().timings_mean_speed;
  if (emulates && max_candidates_ == 0) options.max_candidates = kSimtCandidates;

  // Log lines would tear the rewritten line.
  Progress progress(stderr, isatty(STDERR_FILENO) == 1 && !machine_.verbose());
  options.progress = [&](const TuneProgress& now) { progress.update(now); };
  nlohmann::json reports = nlohmann::json::array();
  int code = kExitOk;
  for (const Problem& problem : problems) {
    try {
      const TuneReport report = site->run(problem, options);
      progress.clear();
      fmt::print("{}", report_text(report, site->context()));
      std::fflush(stdout);
      reports.push_back(report_json(report, site->context()));
      if (!succeeded(report, compile_only_)) code = kExitFailed;
    } catch (const Error& error) {
      progress.clear();
      // One problem that cannot be tuned must not keep the rest of a list from it.
      if (problems.size() == 1 || error.status() == ATTUNE_ERROR_CONTEXT_LOST) throw;
      fmt::print(stderr, "attune-tune: {}: {}\n", describe(problem), error.what());
      code = kExitFailed;
    }
  }
  if (!json_path_.empty()) write_json(json_path_, reports);
  return code;
}

}  // namespace attune

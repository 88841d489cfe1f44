// The tuning loop: enumerate, prune, compile, validate, time, record. Works on scratch memory only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/log.h"
#include "cache/compiled_images.h"
#include "db/tuning_db.h"
#include "kernels/registry.h"
#include "specialize/kernel_source.h"
#include "tune/trial.h"
#include "tune/trial_runner.h"

namespace attune {

// What tuning works with; all of it outlives the call.
struct TuneResources {
  Backend& backend;
  const TemplateStore& templates;
  CompiledImages& images;
  TuningDb& database;
  Log log;
  // What runs the trials of a problem; without it they run in this process.
  std::function<std::unique_ptr<TrialRunner>(const Problem& timed)> make_runner;
  // What compiles, with the same identity; null: the backend's compiler, in this process.
  std::shared_ptr<Compiler> compiler;
};

struct TuneProgress {
  const char* stage;  // "compile", "validate", "time"
  size_t done = 0;
  size_t total = 0;
  double elapsed_seconds = 0;
  double eta_seconds = 0;  // of the stage; 0 when unknown
  std::string candidate;   // the one just finished, with its outcome
};

struct TuneOptions {
  double seconds = 0;  // bound on wall time; 0: none
  bool force = false;  // time again what fresh records answer
  Margin margin;
  int64_t scratch_bytes = 0;     // bound on scratch memory; 0: what the device has free
  size_t max_candidates = 0;     // 0: all
  std::vector<Candidate> seeds;  // tried first, in this order: what records of old say is good
  std::function<void(const TuneProgress&)> progress;  // called on the tuning thread
};

struct TuneReport {
  Problem problem;               // as asked
  Problem timed;                 // what was measured: smaller where scratch memory is bounded
  std::vector<Trial> trials;     // seeds first, then in cost-model order; over-budget ones last
  std::optional<size_t> winner;  // index into trials
  double seconds = 0;
  bool complete = false;  // every candidate that was to be tried was tried
  std::string note;       // why it is not complete, or why nothing was tuned
};

// Throws Error when nothing can be tuned at all: NO_FEASIBLE_CONFIG, NO_COMPILER, OUT_OF_MEMORY, UNSUPPORTED.
TuneReport tune(const Problem& problem, const TuneResources& resources, const TuneOptions& options);

// Compiles every fitting candidate for a device that need not be there, and reports registers and spills;
// times nothing. `outcome` is ok, over_budget or compile_failed. Nothing is recorded.
TuneReport compile_only(const Problem& problem, const DeviceSpec& device, Compiler& compiler,
                        CompiledImages& images, const TemplateStore& templates, const TuneOptions& options);

}  // namespace attune

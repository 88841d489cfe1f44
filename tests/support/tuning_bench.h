// TuningBench: what tuning and planning work with, on the fake device and in memory.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cache/compiled_images.h"
#include "cache/image_cache.h"
#include "cache/module_cache.h"
#include "db/tuning_db.h"
#include "kernels/registry.h"
#include "problem/bucket.h"
#include "specialize/kernel_source.h"
#include "support/fake_backend.h"
#include "support/log_capture.h"
#include "tune/tuner.h"

namespace attune {

// A small matrix for the operation with 12 configs, all of which fit everywhere.
inline const Problem kSmallRows{
    .operation = Operation::row_softmax, .dtype = DType::f32, .seqlen_q = 40, .seqlen_kv = 100};

// A small attention with 60 configs on sm_90.
inline const Problem kSmallAttention{.dtype = DType::bf16,
                                     .mask = Mask::causal,
                                     .batch = 1,
                                     .heads_q = 2,
                                     .heads_kv = 1,
                                     .seqlen_q = 64,
                                     .seqlen_kv = 64,
                                     .head_dim = 32,
                                     .head_dim_v = 32};

inline Config rows_config(int warps, int rows_per_block) {
  return {{"WARPS", warps}, {"ROWS_PER_BLOCK", rows_per_block}};
}

inline Config flash_config(int block_m, int block_n, int warps, int stages, int q_in_registers) {
  return {{"BLOCK_M", block_m},
          {"BLOCK_N", block_n},
          {"WARPS", warps},
          {"STAGES", stages},
          {"Q_IN_REGISTERS", q_in_registers},
          {"KEEP_PLACES", 0},
          {"TENSOR_COPIES", 0}};
}

struct TuningBench {
  explicit TuningBench(std::string_view arch = "sm_90") : backend(arch) { forget_images(); }

  FakeBackend backend;
  LogCapture capture;
  const Log log = capture.log();
  const TemplateStore templates;
  ImageCache disk{std::nullopt, log};
  std::unique_ptr<CompiledImages> images;
  std::unique_ptr<ModuleCache> modules = std::make_unique<ModuleCache>();
  std::unique_ptr<TuningDb> database = TuningDb::open(std::nullopt, log);

  // What another process would know.
  void forget_images() { images = std::make_unique<CompiledImages>(disk); }
  void forget_modules() { modules = std::make_unique<ModuleCache>(); }

  TuneReport tune(const Problem& problem, const TuneOptions& options = {}) {
    return attune::tune(problem, {backend, templates, *images, *database, log}, options);
  }

  std::string device_key() const { return attune::device_key(backend.name(), backend.spec); }
  std::string bucket(const Problem& problem) const {
    return bucket_key(problem, backend.spec.multiprocessors);
  }
};

// The trial of a config; fails the test when there is none.
inline const Trial& trial_of(const TuneReport& report, const Config& config) {
  for (const Trial& trial : report.trials) {
    if (trial.candidate.config == config) return trial;
  }
  throw std::logic_error("no trial of " + to_string(config));
}

inline std::string winner_of(const TuneReport& report) {
  return report.winner ? to_string(report.trials.at(*report.winner).candidate.config) : "none";
}

}  // namespace attune

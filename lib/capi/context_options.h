// ContextOptions: the caller's options over the environment over the defaults, checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "attune/attune.h"
#include "budget/budget.h"
#include "capi/device_choice.h"
#include "dispatch/planner.h"

namespace attune {

struct ContextOptions {
  DeviceChoice device;
  std::optional<std::filesystem::path> cache_dir;  // nothing: memory only
  bool cache_asked = true;                         // false when memory only is what was asked for
  std::string nvrtc_path;                          // empty: ATTUNE_NVRTC, else searched
  std::optional<std::filesystem::path> template_dir;
  std::optional<std::filesystem::path> site_database;
  std::string simt_options;      // the text of ATTUNE_SIMT
  std::filesystem::path worker;  // attune-tune; empty: candidates are tried in this process
  TuningPolicy tuning = TuningPolicy::miss;
  attune_log_level log_level = ATTUNE_LOG_OFF;
  attune_log_callback log_callback = nullptr;
  void* log_user_data = nullptr;
  Margin margin;
  double tuning_seconds = 3;
  int64_t tuning_scratch_bytes = int64_t{256} << 20;
  bool check = false;
};

// `given` may be null. Throws Error: INVALID_ARGUMENT, UNSUPPORTED.
ContextOptions resolve_options(const attune_context_options* given);

}  // namespace attune

#include "capi/context_options.h"

#include "base/environment.h"
#include "base/error.h"
#include "base/files.h"
#include "capi/installed_worker.h"
#include "capi/struct_version.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

constexpr double kMaxMarginFraction = 0.9;
constexpr int64_t kMaxMarginBytes = int64_t{1} << 30;
constexpr double kMaxTuningSeconds = 86400;

// Also refuses NaN.
template <typename Number>
void require_range(const char* name, Number value, Number low, Number high) {
  if (!(value >= low && value <= high)) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "{} = {} is not in [{}, {}]", name, value, low, high);
  }
}

// The option, else the environment's value; empty when neither says anything.
std::string text_of(const char* option, EnvironmentVariable variable) {
  if (option && *option) return option;
  return environment_value(variable).value_or("");
}

void take_cache_dir(const char* option, ContextOptions& options) {
  std::optional<std::string> text = option ? option : environment_value(EnvironmentVariable::cache_dir);
  if (text && text->empty()) {
    options.cache_asked = false;
    return;
  }
  options.cache_dir = text ? fs::path(*text) : default_cache_directory();
}

void take_template_dir(const char* option, ContextOptions& options) {
  const std::string text = text_of(option, EnvironmentVariable::template_dir);
  if (text.empty()) return;
  std::error_code error;
  if (!fs::is_directory(text, error)) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "template_dir (ATTUNE_TEMPLATE_DIR) '{}' is not a directory", text);
  }
  options.template_dir = text;
}

void take_tuning(attune_tuning option, ContextOptions& options) {
  require_range<int>("tuning", option, ATTUNE_TUNING_DEFAULT, ATTUNE_TUNING_FORCE);
  if (option != ATTUNE_TUNING_DEFAULT) {
    options.tuning = static_cast<TuningPolicy>(option);
    return;
  }
  const std::string word = environment_value(EnvironmentVariable::tuning).value_or("miss");
  if (word == "off") {
    options.tuning = TuningPolicy::off;
  } else if (word == "force") {
    options.tuning = TuningPolicy::force;
  } else if (word != "miss") {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "ATTUNE_TUNING='{}' is unknown; known: miss, off, force", word);
  }
}

void take_log(const attune_context_options& given, ContextOptions& options) {
  require_range<int>("log_level", given.log_level, ATTUNE_LOG_OFF, ATTUNE_LOG_DEBUG);
  options.log_level = given.log_level;
  options.log_callback = given.log_callback;
  options.log_user_data = given.log_user_data;
  if (given.log_level != ATTUNE_LOG_OFF) return;
  const std::string word = environment_value(EnvironmentVariable::log).value_or("off");
  if (!parse_log_level(word, options.log_level)) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "ATTUNE_LOG='{}' is unknown; known: off, error, warning, info, debug",
         word);
  }
}

void take_check(int32_t option, ContextOptions& options) {
  require_range("check", option, 0, 1);
  const std::string word = environment_value(EnvironmentVariable::check).value_or("0");
  if (word != "0" && word != "1") {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "ATTUNE_CHECK='{}' is unknown; known: 0, 1", word);
  }
  options.check = option == 1 || word == "1";
}

void take_numbers(const attune_context_options& given, ContextOptions& options) {
  require_range("margin_fraction", given.margin_fraction, 0.0, kMaxMarginFraction);
  require_range("margin_bytes", given.margin_bytes, int64_t{0}, kMaxMarginBytes);
  require_range("tuning_seconds", given.tuning_seconds, 0.0, kMaxTuningSeconds);
  require_range("tuning_scratch_bytes", given.tuning_scratch_bytes, int64_t{0}, INT64_MAX);
  options.margin = {.fraction = given.margin_fraction, .bytes = given.margin_bytes};
  if (given.tuning_seconds > 0) options.tuning_seconds = given.tuning_seconds;
  if (given.tuning_scratch_bytes > 0) options.tuning_scratch_bytes = given.tuning_scratch_bytes;
}

}  // namespace

ContextOptions resolve_options(const attune_context_options* given) {
  const attune_context_options defaults = ATTUNE_CONTEXT_OPTIONS_INIT;
  attune_context_options storage;
  const attune_context_options& known = widened(given ? given : &defaults, storage);
  if (known.reserved != 0) {
    fail(ATTUNE_ERROR_UNSUPPORTED, "attune_context_options: reserved = {} must be 0 in this version",
         known.reserved);
  }
  ContextOptions options;
  const std::string device = text_of(known.device, EnvironmentVariable::device);
  options.device = parse_device(device.empty() ? "cuda" : device);
  take_cache_dir(known.cache_dir, options);
  if (known.nvrtc_path) options.nvrtc_path = known.nvrtc_path;
  if (known.site_database && *known.site_database) options.site_database = known.site_database;
  take_template_dir(known.template_dir, options);
  options.simt_options = environment_value(EnvironmentVariable::simt).value_or("");
  options.worker = known.worker_path ? fs::path(known.worker_path) : installed_worker();
  take_tuning(known.tuning, options);
  take_log(known, options);
  take_numbers(known, options);
  take_check(known.check, options);
  return options;
}

}  // namespace attune

#include "cli/machine_arguments.h"

#include <CLI/App.hpp>

#include "base/environment.h"
#include "base/log.h"
#include "cli/usage_error.h"

namespace attune {
namespace {

constexpr const char* kGroup = "Machine";

// Nothing leaves it to ATTUNE_LOG.
attune_log_level log_level(bool verbose) {
  const std::optional<std::string> word = environment_value(EnvironmentVariable::log);
  if (!word) return verbose ? ATTUNE_LOG_INFO : ATTUNE_LOG_WARNING;
  attune_log_level level = ATTUNE_LOG_OFF;
  if (!parse_log_level(*word, level))
    fail_usage("ATTUNE_LOG: '{}' is not off, error, warning, info or debug", *word);
  return verbose && level < ATTUNE_LOG_INFO ? ATTUNE_LOG_INFO : level;
}

}  // namespace

void MachineArguments::add_device(CLI::App& app) {
  app.add_option("--device", device_,
                 "cuda[:n], simt[:sm_XX] (the CPU emulator), recorded[:GPU] (stored trials of a GPU) or "
                 "auto; default "
                 "ATTUNE_DEVICE, else cuda")
      ->group(kGroup);
  add_nvrtc(app);
}

void MachineArguments::add_nvrtc(CLI::App& app) {
  app.add_option("--nvrtc", nvrtc_, "libnvrtc, a file or a directory; default ATTUNE_NVRTC, else searched")
      ->group(kGroup);
}

void MachineArguments::add_target(CLI::App& app) {
  app.add_option("--target", target_,
                 "an architecture such as sm_86, instead of a device; that GPU need not be there")
      ->group(kGroup)
      ->excludes(app.get_option("--device"));
}

void MachineArguments::add_margin(CLI::App& app) {
  app.add_option("--margin", margin_percent_,
                 "safety margin: percent taken off each limit of the device; default 0")
      ->group(kGroup)
      ->type_name("PERCENT");
  app.add_option("--margin-bytes", margin_bytes_,
                 "safety margin: bytes taken off its shared memory; default 0")
      ->group(kGroup);
}

void MachineArguments::add_cache(CLI::App& app) {
  app.add_option("--cache-dir", cache_dir_,
                 "database and compiled images; \"\": memory only; default ATTUNE_CACHE_DIR, else the user's "
                 "cache home")
      ->group(kGroup);
}

void MachineArguments::add_log(CLI::App& app) {
  app.add_flag("-v,--verbose", verbose_, "say what is being done")->group(kGroup);
}

attune_context_options MachineArguments::context_options() const {
  // The library has the same bounds, but not these names.
  if (!(margin_percent_ >= 0 && margin_percent_ <= 90))
    fail_usage("--margin {}: not from 0 to 90 percent", margin_percent_);
  if (margin_bytes_ < 0) fail_usage("--margin-bytes {}: less than 0", margin_bytes_);
  const auto text_or_null = [](const std::string& text) { return text.empty() ? nullptr : text.c_str(); };
  attune_context_options options = ATTUNE_CONTEXT_OPTIONS_INIT;
  options.device = text_or_null(device_);
  options.nvrtc_path = text_or_null(nvrtc_);
  options.cache_dir = cache_dir_ ? cache_dir_->c_str() : nullptr;  // "" has a meaning
  options.log_level = log_level(verbose_);
  options.margin_fraction = margin_percent_ / 100;
  options.margin_bytes = margin_bytes_;
  return options;
}

std::optional<DeviceSpec> MachineArguments::target() const {
  if (target_.empty()) return std::nullopt;
  if (std::optional<DeviceSpec> device = known_device(target_)) return device;
  std::string known;
  for (const DeviceSpec& device : known_devices())
    known += fmt::format("{}{}", known.empty() ? "" : ", ", device.arch);
  fail_usage("--target '{}' is not a known architecture; there are {}", target_, known);
}

}  // namespace attune

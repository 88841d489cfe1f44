// MachineArguments: the options that say on what, and with what, a program works: device or target, margin,
// cache, log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "attune/attune.h"
#include "device/device_spec.h"

namespace CLI {
class App;
}

namespace attune {

// A program adds the groups it has a use for. This object must outlive the parsing.
class MachineArguments {
 public:
  void add_device(CLI::App& app);  // --device, --nvrtc
  void add_nvrtc(CLI::App& app);   // --nvrtc alone
  void add_target(CLI::App& app);  // --target, instead of --device
  void add_margin(CLI::App& app);  // --margin PERCENT, --margin-bytes N
  void add_cache(CLI::App& app);   // --cache-dir
  void add_log(CLI::App& app);     // --verbose

  // What the library is to be asked for; what is missing is left to the environment and its defaults.
  // Warnings are logged unless ATTUNE_LOG says otherwise. Lives as long as this object. Throws UsageError.
  attune_context_options context_options() const;

  // The table's row of --target; nothing without it. Throws UsageError with the ones there are.
  std::optional<DeviceSpec> target() const;

  const std::string& nvrtc() const { return nvrtc_; }
  bool verbose() const { return verbose_; }

 private:
  std::string device_, nvrtc_, target_;
  double margin_percent_ = 0;
  int64_t margin_bytes_ = 0;
  std::optional<std::string> cache_dir_;
  bool verbose_ = false;
};

}  // namespace attune

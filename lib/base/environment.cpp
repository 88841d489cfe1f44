#include "base/environment.h"

#include <cstdlib>

namespace attune {
namespace {

constexpr EnvironmentEntry kTable[] = {
    {EnvironmentVariable::device, "ATTUNE_DEVICE",
     "cuda[:n] | simt[:sm_XX] | recorded[:GPU] | reference | auto", "the device; default cuda"},
    {EnvironmentVariable::tuning, "ATTUNE_TUNING", "miss | off | force",
     "tuning at plan creation; default miss"},
    {EnvironmentVariable::cache_dir, "ATTUNE_CACHE_DIR", "directory, or empty for memory only",
     "tuning database and compiled images; default $XDG_CACHE_HOME/attune or ~/.cache/attune"},
    {EnvironmentVariable::nvrtc, "ATTUNE_NVRTC", "file or directory",
     "libnvrtc to use instead of the search"},
    {EnvironmentVariable::template_dir, "ATTUNE_TEMPLATE_DIR", "directory",
     "kernel templates to use instead of the embedded ones"},
    {EnvironmentVariable::log, "ATTUNE_LOG", "off | error | warning | info | debug",
     "log level; default off"},
    {EnvironmentVariable::check, "ATTUNE_CHECK", "0 | 1", "expensive checks at every execute; default 0"},
    {EnvironmentVariable::simt, "ATTUNE_SIMT", "threads=N,seed=N,limit=SECONDS,cxx=PATH",
     "the emulator's threads, schedule seed, time limit of a launch, and host compiler"},
};

}  // namespace

std::span<const EnvironmentEntry> environment_table() {
  return kTable;
}

std::optional<std::string> environment_value(EnvironmentVariable variable) {
  for (const EnvironmentEntry& entry : kTable) {
    if (entry.variable != variable) continue;
    const char* value = secure_getenv(entry.name);
    const bool empty_means_something = variable == EnvironmentVariable::cache_dir;
    if (!value || (*value == '\0' && !empty_means_something)) return std::nullopt;
    return std::string(value);
  }
  return std::nullopt;
}

}  // namespace attune

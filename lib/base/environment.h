// Every environment variable attune reads, in one table; each has a twin in attune_context_options.
#pragma once

#include <optional>
#include <span>
#include <string>

namespace attune {

enum class EnvironmentVariable { device, tuning, cache_dir, nvrtc, template_dir, log, check, simt };

struct EnvironmentEntry {
  EnvironmentVariable variable;
  const char* name;     // "ATTUNE_DEVICE"
  const char* values;   // what it may hold
  const char* meaning;  // one line for documentation and `attune-inspect doctor`
};

std::span<const EnvironmentEntry> environment_table();

// The value; nothing when unset or empty-but-for ATTUNE_CACHE_DIR, where empty means "memory only".
// Never read in a set-user-id program (secure_getenv).
std::optional<std::string> environment_value(EnvironmentVariable variable);

}  // namespace attune

// DeviceChoice: what the words of ATTUNE_DEVICE ask for, and the backend they lead to.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "backend/backend.h"
#include "base/log.h"

namespace attune {

enum class DeviceKind { cuda, simt, recorded, reference, automatic };

struct DeviceChoice {
  DeviceKind kind = DeviceKind::cuda;
  int ordinal = -1;  // of cuda; -1: the current context's device, else device 0
  std::string arch;  // of simt; empty: its default
  std::string gpu;   // of recorded: a part of its name; empty: the only one

  bool operator==(const DeviceChoice&) const = default;
};

// "cuda[:n]", "simt[:sm_XX]", "recorded[:<part of a GPU's name>]", "reference" or "auto". Throws Error
// (INVALID_ARGUMENT) that lists what is known.
DeviceChoice parse_device(std::string_view word);

// `nvrtc_path` and `simt_options` may be empty. Throws Error: NO_DEVICE and what else the backends throw.
std::unique_ptr<Backend> make_backend(const DeviceChoice& choice, const std::string& nvrtc_path,
                                      const std::string& simt_options, const Log& log);

}  // namespace attune

// KeyedDevice: what a device key says of its device, so that records alone tell what they were measured on.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "device/device_spec.h"

namespace attune {

struct KeyedDevice {
  std::string backend;  // "cuda"
  DeviceSpec spec;
};

// The inverse of device_key(): "cuda sm_90 NVIDIA H200 x132". Numbers that a key does not hold (shared
// memory, L2, clocks) are those of the architecture's row in known_devices(). Nothing for another text, or
// for an architecture that has no row.
std::optional<KeyedDevice> device_of_key(std::string_view key);

}  // namespace attune

// The DeviceSpec of a GPU, from the driver's attributes.
#pragma once

#include "cuda/driver.h"
#include "device/device_spec.h"

namespace attune {

// Throws Error (NO_DEVICE) when there is no such device. Needs no context.
DeviceSpec read_cuda_device(const Driver& driver, int ordinal);

}  // namespace attune

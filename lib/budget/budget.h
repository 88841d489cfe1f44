// Budget: what a config needs against what the device has, less a safety margin. The answer is yes or a named
// reason.
#pragma once

#include <cstdint>
#include <string>

#include "device/device_spec.h"

namespace attune {

struct ResourceUse {
  int64_t shared_bytes = 0;      // dynamic shared memory of a block, by the kernel's own formula: exact
  int threads = 0;               // of a block
  int registers_per_thread = 0;  // estimate; compiled registers decide later
};

// Taken off each device limit: limit' = floor(limit · (1 − fraction)) − bytes (bytes for shared memory only).
struct Margin {
  double fraction = 0;
  int64_t bytes = 0;
};

struct BudgetVerdict {
  bool fits = false;
  std::string reason;  // "ok", or such as "smem 240640 > 232448 (limit 232448, margin 0 % + 0 B)"
  int64_t shared_need = 0;
  int64_t shared_limit = 0;  // after the margin
  int registers_need = 0;
  int registers_limit = 0;
  int threads_need = 0;
  int threads_limit = 0;
  int blocks_per_multiprocessor = 0;  // co-resident blocks by the estimate; 0 when it does not fit
};

BudgetVerdict check_budget(const ResourceUse& use, const DeviceSpec& device, const Margin& margin);

}  // namespace attune

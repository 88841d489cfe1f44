// TimingScratch: a problem's tensors at their real size, in scratch memory, for timing.
#pragma once

#include <array>
#include <cstdint>

#include "backend/backend.h"
#include "backend/device_buffer.h"
#include "kernels/family.h"
#include "problem/problem.h"

namespace attune {

class TimingScratch {
 public:
  // Allocates and fills the inputs with normal numbers: zeros would run faster than real data do. Throws
  // Error (OUT_OF_MEMORY).
  TimingScratch(Backend& backend, const Problem& problem);

  static int64_t bytes(const Problem& problem);

  const Arguments& arguments() const { return arguments_; }

 private:
  std::array<DeviceBuffer, 5> buffers_;  // q, k, v, o, lse
  Arguments arguments_;
};

}  // namespace attune

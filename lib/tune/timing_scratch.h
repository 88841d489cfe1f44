// TimingScratch: a problem's tensors at their real size, in scratch memory, for timing.
#pragma once

#include <cstdint>
#include <vector>

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

  TimingScratch(const TimingScratch&) = delete;  // its arguments point into it

  static int64_t bytes(const Problem& problem);

  const Arguments& arguments() const { return arguments_; }

 private:
  std::vector<DeviceBuffer> buffers_;
  Arguments arguments_;
  GradientArguments gradients_;
};

// By TimeBudget::replayed_below. 0, never, where the backend cannot, or where the problem's tensors take more
// than half of the L2 (each half of a large GPU's may keep a copy): then a replay would not find them there,
// or find a part. What fits needs no rotating buffers: users of short problems find their tensors there, too.
double replayed_below(const Backend& backend, const Problem& problem);

}  // namespace attune

// ScratchWorkspace: the workspace of one candidate, in scratch memory.
#pragma once

#include <vector>

#include "backend/backend.h"
#include "backend/device_buffer.h"
#include "kernels/family.h"

namespace attune {

class ScratchWorkspace {
 public:
  // Full of NaNs: what a kernel has not written itself must not be used.
  ScratchWorkspace(Backend& backend, const Family& family, const Problem& problem, const Config& config)
      : buffer_(backend, bytes_of(backend, family, problem, config)) {
    const std::vector<std::byte> bytes(buffer_.bytes(), std::byte{0xff});
    if (!bytes.empty()) backend.copy(buffer_.data(), bytes.data(), bytes.size());
  }

  void* data() const { return buffer_.data(); }

 private:
  static size_t bytes_of(const Backend& backend, const Family& family, const Problem& problem,
                         const Config& config) {
    LaunchShape shape = family.launch_shape(problem, config);
    shape.multiprocessors = backend.device().multiprocessors;
    return family.workspace_bytes(problem, shape);
  }

  DeviceBuffer buffer_;
};

}  // namespace attune

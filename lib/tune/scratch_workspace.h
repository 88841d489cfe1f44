// ScratchWorkspace: a workspace of candidates that are tried, in scratch memory.
#pragma once

#include <algorithm>
#include <ranges>
#include <vector>

#include "backend/backend.h"
#include "backend/device_buffer.h"
#include "kernels/family.h"

namespace attune {

class ScratchWorkspace {
 public:
  // What a config's launches of the problem take.
  static size_t bytes(const Backend& backend, const Family& family, const Problem& problem,
                      const Config& config) {
    LaunchShape shape = family.launch_shape(problem, config);
    shape.multiprocessors = backend.device().multiprocessors;
    return family.workspace_bytes(problem, shape);
  }

  // What suffices for any of these candidates, which run one after the other.
  template <std::ranges::input_range Candidates>
  static size_t most_bytes(const Backend& backend, const Problem& problem, Candidates&& candidates) {
    size_t most = 0;
    for (const Candidate& candidate : candidates)
      most = std::max(most, bytes(backend, *candidate.family, problem, candidate.config));
    return most;
  }

  // Full of NaNs: what a kernel has not written itself must not be used.
  ScratchWorkspace(Backend& backend, size_t bytes) : buffer_(backend, bytes) {
    const std::vector<std::byte> nans(bytes, std::byte{0xff});
    if (bytes > 0) backend.copy(buffer_.data(), nans.data(), bytes);
  }
  ScratchWorkspace(Backend& backend, const Family& family, const Problem& problem, const Config& config)
      : ScratchWorkspace(backend, bytes(backend, family, problem, config)) {}

  void* data() const { return buffer_.data(); }

 private:
  DeviceBuffer buffer_;
};

}  // namespace attune

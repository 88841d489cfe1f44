// DeviceBuffer: device memory with an owner.
#pragma once

#include <cstddef>
#include <utility>

#include "backend/backend.h"

namespace attune {

class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  // Throws Error (OUT_OF_MEMORY).
  DeviceBuffer(Backend& backend, size_t bytes)
      : backend_(&backend), data_(bytes > 0 ? backend.allocate(bytes) : nullptr), bytes_(bytes) {}
  ~DeviceBuffer() {
    if (data_) backend_->free(data_);
  }
  DeviceBuffer(DeviceBuffer&& other) noexcept { swap(other); }
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    swap(other);
    return *this;
  }

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  void swap(DeviceBuffer& other) noexcept {
    std::swap(backend_, other.backend_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }

  Backend* backend_ = nullptr;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace attune

// DeviceTensor: a host tensor's bytes, margins included, in device memory.
#pragma once

#include "backend/device_buffer.h"
#include "reference/tensor.h"

namespace attune {

class DeviceTensor {
 public:
  DeviceTensor(Backend& backend, HostTensor& host)
      : backend_(backend), host_(host), buffer_(backend, host.storage().size()) {
    if (buffer_.bytes() > 0) backend.copy(buffer_.data(), host.storage().data(), host.storage().size());
  }
  TensorView view() const { return host_.view(buffer_.data()); }
  void download() const {
    if (buffer_.bytes() > 0) backend_.copy(host_.storage().data(), buffer_.data(), buffer_.bytes());
  }

 private:
  Backend& backend_;
  HostTensor& host_;
  DeviceBuffer buffer_;
};

}  // namespace attune

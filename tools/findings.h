// Findings: driver, GPUs, NVRTC and host compiler of this machine, looked for without changing anything.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cuda/nvrtc_search.h"
#include "device/device_spec.h"

namespace attune {

struct DriverFindings {
  std::string release;   // "580.65.06"; empty without a driver
  int cuda_version = 0;  // 13000
  std::vector<DeviceSpec> devices;
  std::string problem;  // why there is no usable GPU; empty when there is one
};

struct HostCompilerFindings {
  std::string identity;  // as records keep it, with version and options; empty without a compiler
  std::string version;   // "c++ (Debian 12.2.0-14) 12.2.0"
  std::string problem;
};

DriverFindings find_driver();
// `nvrtc`: as --nvrtc. Limited to what the driver can load, when there is one.
NvrtcSearch find_nvrtc(const std::string& nvrtc, const DriverFindings& driver);
HostCompilerFindings find_host_compiler();

// "13.0" for 13000.
std::string cuda_version_text(int version);

}  // namespace attune

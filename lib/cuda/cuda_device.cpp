#include "cuda/cuda_device.h"

#include <cuda.h>

#include <array>

#include "cuda/driver_api.inl"

namespace attune {
namespace {

// "1g.12gb" in "NVIDIA H200 MIG 1g.12gb"; empty for a whole GPU.
std::string mig_profile_of(const std::string& name) {
  constexpr std::string_view kMark = " MIG ";
  const size_t mark = name.find(kMark);
  return mark == std::string::npos ? std::string() : name.substr(mark + kMark.size());
}

}  // namespace

DeviceSpec read_cuda_device(const Driver& driver, int ordinal) {
  const DriverApi& api = driver.api();
  CUdevice device = 0;
  driver.check(api.device_get(&device, ordinal), "cuDeviceGet", ATTUNE_ERROR_NO_DEVICE);
  const auto attribute = [&](CUdevice_attribute which) {
    int value = 0;
    driver.check(api.device_get_attribute(&value, which, device), "cuDeviceGetAttribute");
    return value;
  };
  std::array<char, 256> name{};
  driver.check(api.device_get_name(name.data(), static_cast<int>(name.size()), device), "cuDeviceGetName");
  size_t memory = 0;
  driver.check(api.device_total_mem(&memory, device), "cuDeviceTotalMem");

  DeviceSpec spec;
  spec.name = name.data();
  spec.compute_major = attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
  spec.compute_minor = attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  spec.arch = arch_of(spec.compute_major, spec.compute_minor);
  spec.multiprocessors = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  spec.shared_per_block = attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  spec.shared_per_multiprocessor = attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR);
  spec.shared_reserved_per_block = attribute(CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK);
  spec.registers_per_multiprocessor = attribute(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR);
  // registers_per_thread: 255 since compute capability 3.5; there is no attribute for it.
  spec.threads_per_block = attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
  spec.threads_per_multiprocessor = attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR);
  spec.blocks_per_multiprocessor = attribute(CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR);
  spec.warp_size = attribute(CU_DEVICE_ATTRIBUTE_WARP_SIZE);
  spec.l2_bytes = attribute(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
  spec.global_bytes = static_cast<int64_t>(memory);
  spec.clock_hz = 1e3 * attribute(CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
  // Two transfers a clock; the bus width is in bits.
  spec.memory_bytes_per_second = 2e3 * attribute(CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE) *
                                 attribute(CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH) / 8;
  spec.mig_profile = mig_profile_of(spec.name);

  // Integrated and virtual GPUs report no clocks; the cost model must not divide by zero.
  if (const auto typical = known_device(spec.arch)) {
    if (spec.clock_hz <= 0) spec.clock_hz = typical->clock_hz;
    if (spec.memory_bytes_per_second <= 0) spec.memory_bytes_per_second = typical->memory_bytes_per_second;
  }
  return spec;
}

}  // namespace attune

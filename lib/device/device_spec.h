// DeviceSpec: what the stages need to know of a GPU. Numbers and names only; no CUDA type.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace attune {

struct DeviceSpec {
  std::string name;  // "NVIDIA H200"; in the table of architectures a typical card
  int compute_major = 0;
  int compute_minor = 0;
  std::string arch;  // what is compiled for: "sm_90a"
  int multiprocessors = 0;
  int64_t shared_per_block = 0;              // bytes of dynamic shared memory a block may opt in to
  int64_t shared_per_multiprocessor = 0;     // bytes
  int64_t shared_reserved_per_block = 1024;  // bytes the driver takes for each resident block
  int registers_per_multiprocessor = 65536;
  int registers_per_thread = 255;
  int threads_per_block = 1024;
  int threads_per_multiprocessor = 0;
  int blocks_per_multiprocessor = 0;
  int warp_size = 32;
  int64_t l2_bytes = 0;
  int64_t global_bytes = 0;            // 0 when unknown
  double clock_hz = 0;                 // boost clock, for the cost model only
  double memory_bytes_per_second = 0;  // for the cost model only
  std::string mig_profile;             // empty without MIG

  int compute_capability() const { return compute_major * 10 + compute_minor; }
};

// Known architectures, one row each: a typical card's numbers.
std::span<const DeviceSpec> known_devices();

// The row for "sm_90a", "sm_90" or "90"; nothing when unknown.
std::optional<DeviceSpec> known_device(std::string_view arch);

// Arch to compile for a compute capability: "sm_90a" for 9.0, "sm_86" for 8.6.
std::string arch_of(int compute_major, int compute_minor);

// Identifies a device in the database: backend, compute capability, name, multiprocessors, MIG profile.
std::string device_key(std::string_view backend, const DeviceSpec& device);

}  // namespace attune

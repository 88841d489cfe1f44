#include "device/device_spec.h"

#include <set>

#include "support/catch.h"

using namespace attune;

namespace {

// Technical specifications per compute capability, CUDA C++ Programming Guide.
struct Limits {
  int capability;
  const char* arch;
  int64_t shared_per_block, shared_per_multiprocessor, shared_reserved;
  int threads_per_multiprocessor, blocks_per_multiprocessor;
};

constexpr Limits kLimits[] = {
    {75, "sm_75", 65536, 65536, 0, 1024, 16},         {80, "sm_80", 166912, 167936, 1024, 2048, 32},
    {86, "sm_86", 101376, 102400, 1024, 1536, 16},    {87, "sm_87", 166912, 167936, 1024, 1536, 16},
    {89, "sm_89", 101376, 102400, 1024, 1536, 24},    {90, "sm_90a", 232448, 233472, 1024, 2048, 32},
    {100, "sm_100a", 232448, 233472, 1024, 2048, 32}, {103, "sm_103a", 232448, 233472, 1024, 2048, 32},
    {120, "sm_120a", 101376, 102400, 1024, 1536, 24},
};

}  // namespace

TEST_CASE("the table holds CUDA's limits, one row per architecture") {
  CHECK(known_devices().size() == std::size(kLimits));
  for (const Limits& limits : kLimits) {
    INFO(limits.arch);
    const std::optional<DeviceSpec> device = known_device(limits.arch);
    REQUIRE(device.has_value());
    CHECK(device->compute_capability() == limits.capability);
    CHECK(device->arch == limits.arch);
    CHECK(device->shared_per_block == limits.shared_per_block);
    CHECK(device->shared_per_multiprocessor == limits.shared_per_multiprocessor);
    CHECK(device->shared_reserved_per_block == limits.shared_reserved);
    CHECK(device->threads_per_multiprocessor == limits.threads_per_multiprocessor);
    CHECK(device->blocks_per_multiprocessor == limits.blocks_per_multiprocessor);
    CHECK(device->registers_per_multiprocessor == 65536);
    CHECK(device->registers_per_thread == 255);
    CHECK(device->threads_per_block == 1024);
    CHECK(device->warp_size == 32);
  }
}

TEST_CASE("every row makes sense") {
  std::set<std::string> names;
  for (const DeviceSpec& device : known_devices()) {
    INFO(device.name);
    names.insert(device.name);
    // One block that takes all it may must fit, with what the driver reserves.
    CHECK(device.shared_per_block + device.shared_reserved_per_block == device.shared_per_multiprocessor);
    CHECK(device.multiprocessors > 0);
    CHECK(device.l2_bytes > 0);
    CHECK(device.l2_bytes < device.global_bytes);
    CHECK((device.clock_hz > 1e9 && device.clock_hz < 4e9));
    CHECK((device.memory_bytes_per_second > 1e11 && device.memory_bytes_per_second < 1e13));
    CHECK(device.mig_profile.empty());
  }
  CHECK(names.size() == known_devices().size());
}

TEST_CASE("a known device answers to its arch, with or without prefix and suffix") {
  for (const char* name : {"sm_90a", "sm_90", "90", "90a"}) {
    INFO(name);
    REQUIRE(known_device(name).has_value());
    CHECK(known_device(name)->name == "H200");
  }
  CHECK(known_device("86")->name == "GeForce RTX 3090");
  CHECK(known_device("sm_120")->compute_capability() == 120);
  for (const char* name :
       {"", "sm_", "a", "sm_91", "9", "9.0", "compute_90", "SM_90", "sm_90 ", " 90", "090", "H200"}) {
    INFO("\"" << name << "\"");
    CHECK_FALSE(known_device(name).has_value());
  }
}

TEST_CASE("from Hopper on, the architecture-specific target is compiled for") {
  CHECK(arch_of(7, 5) == "sm_75");
  CHECK(arch_of(8, 0) == "sm_80");
  CHECK(arch_of(8, 9) == "sm_89");
  CHECK(arch_of(9, 0) == "sm_90a");
  CHECK(arch_of(10, 3) == "sm_103a");
  CHECK(arch_of(12, 0) == "sm_120a");
}

TEST_CASE("the device key tells apart what times differently") {
  DeviceSpec device = *known_device("sm_90a");
  CHECK(device_key("cuda", device) == "cuda sm_90 H200 x132");
  CHECK(device_key("simt", device) == "simt sm_90 H200 x132");
  device.mig_profile = "1g.18gb";
  device.multiprocessors = 16;
  CHECK(device_key("cuda", device) == "cuda sm_90 H200 x16 mig 1g.18gb");
  device.name = "NVIDIA H100";
  CHECK(device_key("cuda", device) == "cuda sm_90 NVIDIA H100 x16 mig 1g.18gb");
}

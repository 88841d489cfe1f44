#include "device/device_spec.h"

#include <fmt/format.h>

#include <array>

namespace attune {
namespace {

constexpr int64_t kKiB = 1024;
constexpr int64_t kMiB = 1024 * kKiB;
constexpr int64_t kGiB = 1024 * kMiB;

struct Row {
  const char* card;
  int major, minor;
  int multiprocessors;
  int shared_block_kib, shared_multiprocessor_kib;
  int threads_multiprocessor, blocks_multiprocessor;
  int64_t l2_mib, global_gib;
  double clock_ghz, memory_gb_per_second;
};

// A typical card of each architecture. Shared memory and residency: CUDA C++ Programming Guide, table of
// technical specifications per compute capability; the rest: NVIDIA's data sheets.
constexpr Row kRows[] = {
    {"Tesla T4", 7, 5, 40, 64, 64, 1024, 16, 4, 16, 1.59, 320},
    {"A100-SXM4-80GB", 8, 0, 108, 163, 164, 2048, 32, 40, 80, 1.41, 2039},
    {"GeForce RTX 3090", 8, 6, 82, 99, 100, 1536, 16, 6, 24, 1.70, 936},
    {"Jetson AGX Orin", 8, 7, 16, 163, 164, 1536, 16, 4, 32, 1.30, 204},
    {"GeForce RTX 4090", 8, 9, 128, 99, 100, 1536, 24, 72, 24, 2.52, 1008},
    {"H200", 9, 0, 132, 227, 228, 2048, 32, 60, 139, 1.98, 4800},
    {"B200", 10, 0, 148, 227, 228, 2048, 32, 126, 180, 1.97, 8000},
    {"B300", 10, 3, 148, 227, 228, 2048, 32, 126, 270, 1.92, 8000},
    {"GeForce RTX 5090", 12, 0, 170, 99, 100, 1536, 24, 96, 32, 2.41, 1792},
};

DeviceSpec spec_of(const Row& row) {
  return {
      .name = row.card,
      .compute_major = row.major,
      .compute_minor = row.minor,
      .arch = arch_of(row.major, row.minor),
      .multiprocessors = row.multiprocessors,
      .shared_per_block = row.shared_block_kib * kKiB,
      .shared_per_multiprocessor = row.shared_multiprocessor_kib * kKiB,
      .shared_reserved_per_block = row.major == 7 ? 0 : kKiB,
      .threads_per_multiprocessor = row.threads_multiprocessor,
      .blocks_per_multiprocessor = row.blocks_multiprocessor,
      .l2_bytes = row.l2_mib * kMiB,
      .global_bytes = row.global_gib * kGiB,
      .clock_hz = row.clock_ghz * 1e9,
      .memory_bytes_per_second = row.memory_gb_per_second * 1e9,
      .mig_profile = "",
  };
}

const std::array<DeviceSpec, std::size(kRows)>& table() {
  static const auto kTable = [] {
    std::array<DeviceSpec, std::size(kRows)> specs;
    for (size_t i = 0; i < specs.size(); ++i)
      specs[i] = spec_of(kRows[i]);
    return specs;
  }();
  return kTable;
}

}  // namespace

std::span<const DeviceSpec> known_devices() {
  return table();
}

std::string arch_of(int compute_major, int compute_minor) {
  // From Hopper on, the fastest instructions exist only in the architecture-specific target.
  return fmt::format("sm_{}{}{}", compute_major, compute_minor, compute_major >= 9 ? "a" : "");
}

std::optional<DeviceSpec> known_device(std::string_view arch) {
  if (arch.starts_with("sm_")) arch.remove_prefix(3);
  if (arch.ends_with("a")) arch.remove_suffix(1);
  for (const DeviceSpec& spec : known_devices()) {
    if (arch == fmt::format("{}", spec.compute_capability())) return spec;
  }
  return std::nullopt;
}

std::string device_key(std::string_view backend, const DeviceSpec& device) {
  return fmt::format("{} sm_{} {} x{}{}", backend, device.compute_capability(), device.name,
                     device.multiprocessors, device.mig_profile.empty() ? "" : " mig " + device.mig_profile);
}

}  // namespace attune

#include "simt/global_memory.h"

#include <fmt/format.h>

namespace attune::simt {
namespace {

uint64_t begin_of(const MemoryRegion& region) {
  return reinterpret_cast<uint64_t>(region.base);
}
uint64_t end_of(const MemoryRegion& region) {
  return begin_of(region) + region.bytes;
}

// Bytes of the access that the region lacks, before or after it.
uint64_t distance(const MemoryRegion& region, uint64_t address, uint64_t bytes) {
  const uint64_t before = address < begin_of(region) ? begin_of(region) - address : 0;
  const uint64_t after = address + bytes > end_of(region) ? address + bytes - end_of(region) : 0;
  return before > after ? before : after;
}

}  // namespace

const MemoryRegion* find_region(std::span<const MemoryRegion> regions, uint64_t address, int bytes) {
  for (const MemoryRegion& region : regions) {
    if (address >= begin_of(region) && address + static_cast<uint64_t>(bytes) <= end_of(region))
      return &region;
  }
  return nullptr;
}

std::string describe_global_fault(std::span<const MemoryRegion> regions, uint64_t address, int bytes,
                                  bool write) {
  const char* const verb = write ? "store" : "load";
  if (const MemoryRegion* region = find_region(regions, address, bytes)) {
    return fmt::format(
        "misaligned {} of {} bytes at {:#x}, byte {} of tensor region {}: must be a multiple of {}", verb,
        bytes, address, address - begin_of(*region), region - regions.data(), bytes);
  }
  if (regions.empty()) {
    return fmt::format("{} of {} bytes at {:#x} is out of bounds: the launch names no memory", verb, bytes,
                       address);
  }
  size_t nearest = 0;
  for (size_t i = 1; i < regions.size(); ++i) {
    if (distance(regions[i], address, bytes) < distance(regions[nearest], address, bytes)) nearest = i;
  }
  const MemoryRegion& region = regions[nearest];
  const std::string how =
      address < begin_of(region)
          ? fmt::format("begins {} bytes before", begin_of(region) - address)
          : fmt::format("ends {} bytes behind", address + static_cast<uint64_t>(bytes) - end_of(region));
  return fmt::format(
      "{} of {} bytes at {:#x} is out of bounds: {} the nearest tensor region, {} of {} ({:#x}, {} bytes)",
      verb, bytes, address, how, nearest, regions.size(), begin_of(region), region.bytes);
}

}  // namespace attune::simt

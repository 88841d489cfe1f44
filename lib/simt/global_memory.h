// Checks of accesses to global memory: each must lie within one of the launch's tensors.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "kernels/family.h"

namespace attune::simt {

// The region that holds all of the access; nullptr when none does.
const MemoryRegion* find_region(std::span<const MemoryRegion> regions, uint64_t address, int bytes);

// What is wrong with an access that is misaligned or in no region, and how far it is from the nearest one.
std::string describe_global_fault(std::span<const MemoryRegion> regions, uint64_t address, int bytes,
                                  bool write);

}  // namespace attune::simt

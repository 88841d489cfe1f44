#include "kernels/family.h"

#include "base/error.h"

namespace attune {

void Launch::add_region(const void* base, size_t bytes) {
  if (region_count == kMaxRegions)
    fail(ATTUNE_ERROR_INTERNAL, "a launch has more than {} memory regions", kMaxRegions);
  regions[region_count++] = {base, bytes};
}

}  // namespace attune

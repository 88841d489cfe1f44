#include "kernels/family.h"

#include "base/error.h"

namespace attune {

void Launch::add_region(const void* base, size_t bytes) {
  if (region_count == kMaxRegions)
    fail(ATTUNE_ERROR_INTERNAL, "a launch has more than {} memory regions", kMaxRegions);
  regions[region_count++] = {base, bytes};
}

void Family::pack(const Problem& problem, const Config& config, const Arguments& arguments,
                  const TensorMapEncoder* tensor_maps, Launch& launch, int multiprocessors) const {
  LaunchShape shape = launch_shape(problem, config);
  shape.tensor_maps = tensor_maps;
  shape.multiprocessors = multiprocessors;
  if (!pack(problem, shape, arguments, launch)) {
    fail(ATTUNE_ERROR_LAUNCH_FAILED, "{} {} cannot take these tensors: {}", name(), to_string(config),
         tensor_maps ? "the copy engine cannot describe them" : "there is no copy engine");
  }
}

}  // namespace attune

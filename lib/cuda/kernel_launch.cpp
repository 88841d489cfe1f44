#include "cuda/kernel_launch.h"

#include <cuda.h>

#include "cuda/driver_api.inl"

namespace attune {

// NOTE: parameters go by address, not as one buffer with its size: in a buffer the struct would have to lie
// where the compiler put it, which for one that holds tensor maps (aligned to 128 bytes) is not at the
// beginning.
int launch_kernel(const DriverApi& api, CUfunc_st* function, const Launch& launch, Stream stream) noexcept {
  void* address[] = {const_cast<std::byte*>(launch.parameters.data())};
  void** parameters = launch.parameter_bytes > 0 ? address : nullptr;
  if (!launch.begins_early || !api.launch_kernel_ex) {
    return api.launch_kernel(function, launch.grid, 1, 1, launch.block, 1, 1, launch.shared_bytes, stream,
                             parameters, nullptr);
  }
  CUlaunchAttribute early{};
  early.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
  early.value.programmaticStreamSerializationAllowed = 1;
  const CUlaunchConfig config{.gridDimX = launch.grid,
                              .gridDimY = 1,
                              .gridDimZ = 1,
                              .blockDimX = launch.block,
                              .blockDimY = 1,
                              .blockDimZ = 1,
                              .sharedMemBytes = launch.shared_bytes,
                              .hStream = stream,
                              .attrs = &early,
                              .numAttrs = 1};
  return api.launch_kernel_ex(&config, function, parameters, nullptr);
}

}  // namespace attune

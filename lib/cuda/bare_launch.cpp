#include "cuda/bare_launch.h"

#include <cuda.h>

#include "cuda/cuda_module.h"
#include "cuda/driver_api.inl"
#include "cuda/kernel_launch.h"

namespace attune {
namespace {

const CudaModule& cuda_module(const Module& module) {
  return static_cast<const CudaModule&>(module);
}

}  // namespace

BareLaunch::BareLaunch(const Module& module, const Launch& launch, Stream stream)
    : context_(cuda_module(module).context()),
      current_(context_),
      function_(cuda_module(module).function()),
      launch_(launch),
      stream_(stream) {}

void BareLaunch::operator()() {
  const auto result = static_cast<CUresult>(launch_kernel(context_.api(), function_, launch_, stream_));
  if (result != CUDA_SUCCESS) context_.driver().raise(result, "a bare launch", ATTUNE_ERROR_LAUNCH_FAILED);
}

}  // namespace attune

#include "cuda/bare_launch.h"

#include <cuda.h>

#include "cuda/cuda_module.h"
#include "cuda/driver_api.inl"

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
      stream_(stream),
      parameters_{const_cast<std::byte*>(launch.parameters.data())} {}

void BareLaunch::operator()() {
  const CUresult result = context_.api().launch_kernel(function_, launch_.grid, 1, 1, launch_.block, 1, 1,
                                                       launch_.shared_bytes, stream_, parameters_, nullptr);
  if (result != CUDA_SUCCESS) context_.driver().raise(result, "a bare launch", ATTUNE_ERROR_LAUNCH_FAILED);
}

}  // namespace attune

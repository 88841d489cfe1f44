// CudaTensorMaps: tensor maps as the driver encodes them.
#pragma once

#include "cuda/cuda_context.h"
#include "cuda/tensor_map_cache.h"
#include "kernels/tensor_map.h"

namespace attune {

class CudaTensorMaps final : public TensorMapEncoder {
 public:
  // `context` outlives it. Encodes nothing where the driver cannot: before 12.0, or for a GPU before sm_90.
  explicit CudaTensorMaps(const CudaContext& context) : context_(context) {}
  bool encode(TensorMap& map, const PanelTensor& tensor) const noexcept override;

 private:
  bool encode_anew(TensorMap& map, const PanelTensor& tensor) const noexcept;

  const CudaContext& context_;
  mutable TensorMapCache cache_;
};

}  // namespace attune

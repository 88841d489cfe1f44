// CudaTensorMaps: tensor maps as the driver encodes them.
#pragma once

#include "cuda/driver.h"
#include "cuda/tensor_map_cache.h"
#include "kernels/tensor_map.h"

namespace attune {

class CudaTensorMaps final : public TensorMapEncoder {
 public:
  // Encodes nothing where the driver cannot: before 12.0, or for a GPU before sm_90.
  explicit CudaTensorMaps(const Driver& driver) : driver_(driver) {}
  bool encode(TensorMap& map, const PanelTensor& tensor) const noexcept override;

 private:
  bool encode_anew(TensorMap& map, const PanelTensor& tensor) const noexcept;

  const Driver& driver_;
  mutable TensorMapCache cache_;
};

}  // namespace attune

// SimtTensorMaps: tensor maps of the emulator, which hold the tensor's description as it is.
#pragma once

#include "kernels/tensor_map.h"

namespace attune::simt {

class SimtTensorMaps final : public TensorMapEncoder {
 public:
  // False for what a GPU's copy engine cannot describe, either.
  bool encode(TensorMap& map, const PanelTensor& tensor) const noexcept override;
};

// What `map` describes; nullptr when no encoder of this kind has written it. Lives as long as the map.
const PanelTensor* decode(const TensorMap& map);

}  // namespace attune::simt

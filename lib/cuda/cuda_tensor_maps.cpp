#include "cuda/cuda_tensor_maps.h"

#include <cuda.h>

#include "base/error.h"
#include "cuda/cuda_scope.h"
#include "cuda/driver_api.inl"

namespace attune {

static_assert(sizeof(TensorMap) == sizeof(CUtensorMap) && alignof(TensorMap) >= alignof(CUtensorMap));

bool CudaTensorMaps::encode(TensorMap& map, const PanelTensor& tensor) const noexcept {
  const DriverApi& api = context_.api();
  if (cache_.find(map, tensor)) return true;
  if (!api.tensor_map_encode_tiled) return false;
  try {
    const CurrentContext current(context_);  // NOTE: without one the driver encodes nothing
    if (!encode_anew(map, tensor)) return false;
    cache_.keep(map, tensor);
    return true;
  } catch (const Error&) {
    return false;  // the context is lost, as the launch will say
  }
}

bool CudaTensorMaps::encode_anew(TensorMap& map, const PanelTensor& tensor) const noexcept {
  constexpr cuuint32_t kRank = 5;  // column, row, panel, head, batch
  constexpr cuuint64_t kElementBytes = 2;
  const cuuint64_t panels = static_cast<cuuint64_t>(tensor.columns / PanelTensor::kPanelColumns);
  const auto bytes = [](int64_t elements) { return static_cast<cuuint64_t>(elements) * kElementBytes; };
  const cuuint64_t sizes[kRank] = {PanelTensor::kPanelColumns, static_cast<cuuint64_t>(tensor.rows), panels,
                                   static_cast<cuuint64_t>(tensor.heads),
                                   static_cast<cuuint64_t>(tensor.batch)};
  const cuuint64_t strides[kRank - 1] = {bytes(tensor.row_stride), bytes(PanelTensor::kPanelColumns),
                                         bytes(tensor.head_stride), bytes(tensor.batch_stride)};
  const cuuint32_t box[kRank] = {PanelTensor::kPanelColumns, static_cast<cuuint32_t>(tensor.box_rows),
                                 static_cast<cuuint32_t>(panels), 1, 1};
  const cuuint32_t element_strides[kRank] = {1, 1, 1, 1, 1};
  return context_.api().tensor_map_encode_tiled(
             reinterpret_cast<CUtensorMap*>(&map),
             tensor.dtype == DType::f16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
             kRank, const_cast<void*>(tensor.data), sizes, strides, box, element_strides,
             CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
             CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

}  // namespace attune

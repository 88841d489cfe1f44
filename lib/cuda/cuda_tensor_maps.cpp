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
  constexpr cuuint32_t kMostRank = 5;
  constexpr cuuint64_t kElementBytes = 2;
  cuuint32_t rank = 0;
  cuuint64_t sizes[kMostRank];
  cuuint64_t strides[kMostRank];  // in bytes; the innermost, which is none, included
  cuuint32_t box[kMostRank];
  const auto add = [&](int64_t size, int64_t stride, int64_t of_box) {
    sizes[rank] = static_cast<cuuint64_t>(size);
    strides[rank] = static_cast<cuuint64_t>(stride) * kElementBytes;
    box[rank++] = static_cast<cuuint32_t>(of_box);
  };
  const int64_t panels = tensor.columns / PanelTensor::kPanelColumns;
  add(tensor.by_panel ? tensor.columns : PanelTensor::kPanelColumns, 1, PanelTensor::kPanelColumns);
  add(tensor.rows, tensor.row_stride, tensor.box_rows);
  if (!tensor.by_panel) add(panels, PanelTensor::kPanelColumns, panels);
  add(tensor.heads, tensor.head_stride, 1);
  add(tensor.batch, tensor.batch_stride, 1);
  const cuuint32_t element_strides[kMostRank] = {1, 1, 1, 1, 1};
  return context_.api().tensor_map_encode_tiled(
             reinterpret_cast<CUtensorMap*>(&map),
             tensor.dtype == DType::f16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
             rank, const_cast<void*>(tensor.data), sizes, strides + 1, box, element_strides,
             CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
             CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

}  // namespace attune

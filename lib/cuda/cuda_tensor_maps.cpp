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

namespace {

// A tensor's axes as the driver takes them, innermost first; the first has no stride.
struct Axes {
  cuuint32_t rank = 0;
  cuuint64_t sizes[5], strides[5];
  cuuint32_t box[5];

  void add(int64_t size, int64_t stride, int64_t box_size) {
    constexpr cuuint64_t kElementBytes = 2;
    sizes[rank] = static_cast<cuuint64_t>(size);
    strides[rank] = static_cast<cuuint64_t>(stride) * kElementBytes;
    box[rank++] = static_cast<cuuint32_t>(box_size);
  }
};

// One copy of all panels has an axis of panels, which must be whole; where a copy brings one, the engine
// counts columns and knows where they end.
Axes axes_of(const PanelTensor& tensor) {
  constexpr int64_t kPanel = PanelTensor::kPanelColumns;
  const bool all = tensor.copies == PanelCopies::all;
  Axes axes;
  axes.add(all ? kPanel : tensor.columns, 1, kPanel);
  axes.add(tensor.rows, tensor.row_stride, tensor.box_rows);
  if (all) axes.add(tensor.panels(), kPanel, tensor.panels());
  axes.add(tensor.heads, tensor.head_stride, 1);
  axes.add(tensor.batch, tensor.batch_stride, 1);
  return axes;
}

}  // namespace

bool CudaTensorMaps::encode_anew(TensorMap& map, const PanelTensor& tensor) const noexcept {
  const bool has_whole_panels = tensor.columns % PanelTensor::kPanelColumns == 0;
  if (!has_whole_panels && tensor.copies == PanelCopies::all) return false;
  const Axes axes = axes_of(tensor);
  const cuuint32_t element_strides[] = {1, 1, 1, 1, 1};
  return context_.api().tensor_map_encode_tiled(
             reinterpret_cast<CUtensorMap*>(&map),
             tensor.dtype == DType::f16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
             axes.rank, const_cast<void*>(tensor.data), axes.sizes, axes.strides + 1, axes.box,
             element_strides, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
             CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

}  // namespace attune

#include "simt/simt_tensor_maps.h"

#include <cstring>
#include <new>
#include <type_traits>

namespace attune::simt {
namespace {

struct EncodedMap {
  uint64_t magic;
  PanelTensor tensor;
};
static_assert(sizeof(EncodedMap) <= sizeof(TensorMap) && std::is_trivially_copyable_v<EncodedMap>);

constexpr uint64_t kMagic = 0x70616d726f736e74;

// The bounds of cuTensorMapEncodeTiled.
constexpr uint64_t kAddressUnit = 16;
constexpr int64_t kMostRows = int64_t{1} << 32;
constexpr int64_t kMostStrideBytes = int64_t{1} << 40;
constexpr int kMostBoxRows = 256;

}  // namespace

bool SimtTensorMaps::encode(TensorMap& map, const PanelTensor& tensor) const noexcept {
  const auto is_stride = [](int64_t elements) {
    const int64_t bytes = 2 * elements;
    return bytes >= 0 && bytes < kMostStrideBytes && bytes % kAddressUnit == 0;
  };
  const bool whole_panels = tensor.columns % PanelTensor::kPanelColumns == 0;
  const bool describable = (whole_panels || tensor.copies == PanelCopies::one) && tensor.columns > 0 &&
                           reinterpret_cast<uintptr_t>(tensor.data) % kAddressUnit == 0 && tensor.rows > 0 &&
                           tensor.rows <= kMostRows && tensor.box_rows > 0 &&
                           tensor.box_rows <= kMostBoxRows && is_stride(tensor.row_stride) &&
                           is_stride(tensor.head_stride) && is_stride(tensor.batch_stride);
  if (!describable) return false;
  const EncodedMap encoded{kMagic, tensor};
  std::memcpy(&map, &encoded, sizeof(encoded));
  return true;
}

const PanelTensor* decode(const TensorMap& map) {
  const auto* encoded = std::launder(reinterpret_cast<const EncodedMap*>(&map));
  return encoded->magic == kMagic ? &encoded->tensor : nullptr;
}

}  // namespace attune::simt

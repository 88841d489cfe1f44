// What the host twins of flash_fwd, flash_bwd_delta, flash_bwd_dkv and flash_bwd_dq have in common.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "attention/flash_tensor.h"
#include "kernels/family.h"

namespace attune::flash {

constexpr double kLog2E = 1.4426950408889634;  // kernels take powers of two

// What packing does for each tensor is inline: it is most of what an execute costs.

// Kernels form addresses of rows that are not there, and then do not use them: an axis of one element gets
// stride 0, so that these are addresses of rows that are.
inline FlashTensor tensor_of(const TensorView& view, int64_t batch, int64_t heads, int64_t rows) {
  const auto stride = [&](size_t axis, int64_t count) { return count > 1 ? view.stride[axis] : 0; };
  return {view.data, stride(0, batch), stride(1, heads), stride(2, rows)};
}

// 1 << `bit` when every row starts on a boundary of 16 bytes, else 0.
inline unsigned aligned_bit(const FlashTensor& tensor, size_t element, unsigned bit) {
  constexpr uint64_t kVector = 16;
  const auto is_multiple = [&](int64_t stride) {
    return static_cast<uint64_t>(stride) * element % kVector == 0;
  };
  const bool aligned = reinterpret_cast<uintptr_t>(tensor.data) % kVector == 0 &&
                       is_multiple(tensor.batch_stride) && is_multiple(tensor.head_stride) &&
                       is_multiple(tensor.row_stride);
  return unsigned{aligned} << bit;
}

// Names a tensor's memory, from its first element to the end of its last: no bytes where it is not there or
// empty, so that a region keeps its number in reports.
inline void add_region(Launch& launch, const TensorView& view, int64_t batch, int64_t heads, int64_t rows,
                       int64_t columns, size_t element) {
  const bool is_there = view.data && batch > 0 && heads > 0 && rows > 0;
  const int64_t elements =
      (batch - 1) * view.stride[0] + (heads - 1) * view.stride[1] + (rows - 1) * view.stride[2] + columns;
  launch.add_region(view.data, is_there ? static_cast<size_t>(elements) * element : 0);
}

// Blocks of a launch, or Error (UNSUPPORTED) when they are more than a grid has.
uint32_t blocks_of(int64_t tiles, int64_t heads, int64_t batch);

// Names the tensors of the forward pass.
void add_forward_regions(Launch& launch, const Problem& problem, const Arguments& arguments);

// Everything of a launch but its parameters and regions, of which there are none yet.
inline void set_shape(Launch& launch, const LaunchShape& shape, uint32_t grid) {
  launch.region_count = 0;
  launch.begins_early = shape.begins_early;
  launch.grid = grid;
  launch.block = shape.threads;
  launch.shared_bytes = shape.shared_bytes;
}

// Empty when the device can multiply matrices of this dtype; else why not.
std::string missing_products_reason(DType dtype, const DeviceSpec& device);

// Whether the copy engine can bring the problem's rows: it came with sm_90, and its copies are panels of 64
// columns.
bool has_tensor_copies(const Problem& problem, const DeviceSpec& device);

// Empty when warpgroups of the device can multiply the problem's tiles, as far as the problem tells; else why
// not. `unit`: what head dimensions must be multiples of.
std::string missing_warpgroups_reason(const Problem& problem, const DeviceSpec& device,
                                      int64_t unit = PanelTensor::kPanelColumns);

// Describes [batch, heads, rows, columns] to the copy engine; false when it cannot bring them.
bool describe_panels(TensorMap& map, const TensorMapEncoder& encoder, DType dtype, const FlashTensor& tensor,
                     const std::array<int64_t, 4>& shape, int box_rows,
                     PanelCopies copies = PanelCopies::all);

// The dtype's name in templates.
std::string element_name(DType dtype);

// Dtype, head dimensions and mask.
std::vector<Define> defines(const Problem& problem);

// The tunable of f32 families: products by tensor cores, where a device has them for TF32, or by
// multiply-adds. Which is faster differs from GPU to GPU.
Parameter tensor_products(const DeviceSpec& device);
// Whether a config of any dtype has it.
bool by_tensor_products(const Config& config);

// Multiply-adds of a multiprocessor in a cycle, roughly.
double products_per_cycle(DType dtype, const Config& config);

// Registers of a thread whose fragments take so many.
int registers_of(DType dtype, int fragments);

}  // namespace attune::flash

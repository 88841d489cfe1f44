// What a kernel's copy engine is told of a tensor, and who encodes it for the device.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "isa/tensor_map.h"
#include "problem/dtype.h"

namespace attune {

// How many panels a copy moves.
enum class PanelCopies {
  all,  // of the rows; the columns are whole panels
  one,  // which may be the last and partial: columns that are not there arrive as zeros, and are not stored
};

// Rows of a [batch, head, row, column] tensor of 16-bit elements, cut into panels of 64 columns: copies move
// boxes of `box_rows` rows by all panels or one of a head, each panel as rows of 128 bytes, swizzled.
struct PanelTensor {
  static constexpr int64_t kPanelColumns = 64;  // 128 bytes, the widest swizzle

  const void* data;
  DType dtype;
  int64_t batch;
  int64_t heads;
  int64_t rows;
  int64_t columns;      // a multiple of kPanelColumns where copies bring all panels
  int64_t row_stride;   // in elements, as the next two; each a multiple of 8
  int64_t head_stride;  // 0: all heads are the same
  int64_t batch_stride;
  int box_rows;
  PanelCopies copies = PanelCopies::all;

  constexpr int64_t panels() const { return (columns + kPanelColumns - 1) / kPanelColumns; }
  constexpr int64_t box_panels() const { return copies == PanelCopies::all ? panels() : 1; }
};

class TensorMapEncoder {
 public:
  virtual ~TensorMapEncoder() = default;
  // False when the device's copy engine cannot describe the tensor. Allocates nothing.
  virtual bool encode(TensorMap& map, const PanelTensor& tensor) const noexcept = 0;
};

}  // namespace attune

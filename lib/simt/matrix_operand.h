// MatrixOperand: where the elements of a product's operand lie in shared memory, decoded from the bits of its
// descriptor.
#pragma once

#include <cstdint>
#include <string>

namespace attune::simt {

struct MatrixOperand {
  static constexpr int kPanelColumns = 64;

  explicit MatrixOperand(uint64_t descriptor);

  // What a GPU would not do, or not with swizzled panels; empty: nothing. `columns` are those of a transposed
  // operand, 16 else.
  std::string fault(int columns) const;

  // The 16 bytes with columns `column` to `column` + 7 of a row; rows of k where the operand is transposed.
  int64_t line(int row, int column) const {
    const int64_t offset = start + column / kPanelColumns * leading + row / 8 * stride + row % 8 * 128 +
                           2 * (column % kPanelColumns);
    return offset ^ (offset >> 3 & 0x70);
  }

  int64_t start;
  int64_t leading;  // from panel to panel
  int64_t stride;   // from eight rows to the next
  int base_offset;
  int swizzle;
};

}  // namespace attune::simt

#include "simt/tensor_copies.h"

#include <cstring>

namespace attune::simt {
namespace {

constexpr int64_t kLine = ShadowMemory::kLine;
constexpr int64_t kRowBytes = 2 * PanelTensor::kPanelColumns;

// Where the 128-byte swizzle puts a line: its place within a row is mixed with the row's place among eight.
int64_t swizzled(int64_t offset) {
  return offset ^ (offset >> 3 & 0x70);
}

void write_box(const TensorCopy& copy, SharedMemory& shared) {
  const PanelTensor& tensor = copy.tensor;
  const auto* head = static_cast<const unsigned char*>(tensor.data) +
                     2 * (copy.head * tensor.head_stride + copy.batch * tensor.batch_stride);
  int64_t to = copy.destination;
  for (int64_t panel = 0; panel < tensor.columns / PanelTensor::kPanelColumns; ++panel) {
    for (int64_t row = copy.row; row < copy.row + tensor.box_rows; ++row) {
      const unsigned char* from = head + 2 * row * tensor.row_stride + panel * kRowBytes;
      for (int64_t line = 0; line < kRowBytes; line += kLine, to += kLine) {
        unsigned char* place = shared.bytes_at(swizzled(to));
        if (row < tensor.rows) {
          std::memcpy(place, from + line, kLine);
        } else {
          std::memset(place, 0, kLine);
        }
      }
    }
  }
}

}  // namespace

int64_t TensorCopy::bytes() const {
  return tensor.box_rows * tensor.columns * 2;
}

bool TensorCopies::issue(const TensorCopy& copy, SharedMemory& shared, MBarriers& barriers, Stamp me,
                         Random& random) {
  const ShadowMemory::Guard guard{copy.barrier, barriers.completed(copy.barrier)};
  for (int64_t offset = copy.destination; offset < copy.destination + copy.bytes(); offset += kLine) {
    if (!shared.begin_tensor_copy(offset, me, guard)) return false;
  }
  in_flight_.push_back(copy);
  if (random.bits(2) == 0) land(copy.barrier, shared, barriers);
  return true;
}

void TensorCopies::land(int barrier, SharedMemory& shared, MBarriers& barriers) {
  std::erase_if(in_flight_, [&](const TensorCopy& copy) {
    if (copy.barrier != barrier) return false;
    write_box(copy, shared);
    for (int64_t offset = copy.destination; offset < copy.destination + copy.bytes(); offset += kLine)
      shared.end_tensor_copy(offset);
    barriers.arrive(barrier, copy.bytes());
    return true;
  });
}

}  // namespace attune::simt

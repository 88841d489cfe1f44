#include "simt/tensor_copies.h"

#include <algorithm>
#include <cstring>

#include "simt/swizzle.h"

namespace attune::simt {
namespace {

constexpr int64_t kLine = ShadowMemory::kLine;
constexpr int64_t kRowBytes = 2 * PanelTensor::kPanelColumns;

void write(const TensorCopy& copy, SharedMemory& shared) {
  const PanelTensor& tensor = copy.tensor;
  const auto* head = static_cast<const unsigned char*>(tensor.data) +
                     2 * (copy.head * tensor.head_stride + copy.batch * tensor.batch_stride);
  int64_t to = copy.destination;
  for (int64_t panel = copy.panel; panel < copy.panel + tensor.box_panels(); ++panel) {
    for (int64_t row = copy.row; row < copy.row + tensor.box_rows; ++row) {
      const unsigned char* from = head + 2 * row * tensor.row_stride;
      for (int64_t line = panel * kRowBytes; line < (panel + 1) * kRowBytes; line += kLine, to += kLine) {
        const int64_t there =
            row < tensor.rows ? std::clamp<int64_t>(2 * tensor.columns - line, 0, kLine) : 0;
        unsigned char* place = shared.bytes_at(swizzled(to));
        std::memcpy(place, from + line, static_cast<size_t>(there));
        std::memset(place + there, 0, static_cast<size_t>(kLine - there));
      }
    }
  }
}

void write(const BulkCopy& copy, SharedMemory& shared) {
  std::memcpy(shared.bytes_at(copy.destination), copy.source, static_cast<size_t>(copy.size));
}

template <typename Copy>
bool begin(const Copy& copy, SharedMemory& shared, const MBarriers& barriers, Stamp me) {
  const ShadowMemory::Guard guard{copy.barrier, barriers.completed(copy.barrier)};
  for (int64_t offset = copy.destination; offset < copy.destination + copy.bytes(); offset += kLine) {
    if (!shared.begin_tensor_copy(offset, me, guard)) return false;
  }
  return true;
}

template <typename Copy>
void land_those(std::vector<Copy>& in_flight, int barrier, SharedMemory& shared, MBarriers& barriers) {
  std::erase_if(in_flight, [&](const Copy& copy) {
    if (copy.barrier != barrier) return false;
    write(copy, shared);
    for (int64_t offset = copy.destination; offset < copy.destination + copy.bytes(); offset += kLine)
      shared.end_tensor_copy(offset);
    barriers.bring(barrier, copy.bytes());
    return true;
  });
}

}  // namespace

int64_t TensorCopy::bytes() const {
  return tensor.box_rows * tensor.box_panels() * kRowBytes;
}

bool TensorCopies::issue(const TensorCopy& copy, SharedMemory& shared, MBarriers& barriers, Stamp me,
                         Random& random) {
  if (!begin(copy, shared, barriers, me)) return false;
  boxes_.push_back(copy);
  if (random.bits(2) == 0) land(copy.barrier, shared, barriers);
  return true;
}

bool TensorCopies::issue(const BulkCopy& copy, SharedMemory& shared, MBarriers& barriers, Stamp me,
                         Random& random) {
  if (!begin(copy, shared, barriers, me)) return false;
  bulk_.push_back(copy);
  if (random.bits(2) == 0) land(copy.barrier, shared, barriers);
  return true;
}

void TensorCopies::land(int barrier, SharedMemory& shared, MBarriers& barriers) {
  land_those(boxes_, barrier, shared, barriers);
  land_those(bulk_, barrier, shared, barriers);
}

bool TensorCopies::land_all(SharedMemory& shared, MBarriers& barriers) {
  const bool any = !boxes_.empty() || !bulk_.empty();
  while (!boxes_.empty())
    land(boxes_.front().barrier, shared, barriers);
  while (!bulk_.empty())
    land(bulk_.front().barrier, shared, barriers);
  return any;
}

}  // namespace attune::simt

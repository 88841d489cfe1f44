#include "simt/tensor_stores.h"

#include <algorithm>
#include <cstring>

#include "simt/swizzle.h"

namespace attune::simt {
namespace {

constexpr int64_t kLine = ShadowMemory::kLine;
constexpr int64_t kRowBytes = 2 * PanelTensor::kPanelColumns;

// Calls `visit` with each line of the box that exists: where it lies in shared memory, and where its row does
// in global memory and how far on; a row's last line may be in part beyond the tensor. Until it says no.
template <typename Visit>
bool for_lines(const TensorStore& store, const Visit& visit) {
  const int64_t row_bytes = store.row_bytes();
  for (int64_t row = 0; row < store.rows(); ++row) {
    for (int64_t byte = 0; byte < row_bytes; byte += kLine) {
      const int64_t place = swizzled(store.source + row * kRowBytes + byte);
      if (!visit(place, store.address_of(row) + static_cast<uint64_t>(byte),
                 static_cast<int>(std::min(kLine, row_bytes - byte))))
        return false;
    }
  }
  return true;
}

}  // namespace

int64_t TensorStore::rows() const {
  return std::clamp<int64_t>(tensor.rows - row, 0, tensor.box_rows);
}

int64_t TensorStore::row_bytes() const {
  return 2 * std::clamp<int64_t>(tensor.columns - column, 0, PanelTensor::kPanelColumns);
}

uint64_t TensorStore::address_of(int64_t box_row) const {
  const int64_t element =
      batch * tensor.batch_stride + head * tensor.head_stride + (row + box_row) * tensor.row_stride + column;
  return reinterpret_cast<uint64_t>(tensor.data) + 2 * static_cast<uint64_t>(element);
}

void TensorStores::begin_block() {
  in_flight_.clear();
  groups_.clear();
}

int64_t& TensorStores::groups_of(int thread) {
  const auto index = static_cast<size_t>(thread);
  if (groups_.size() <= index) groups_.resize(index + 1, 0);
  return groups_[index];
}

void TensorStores::write(InFlight& in_flight, SharedMemory& shared) {
  if (in_flight.written) return;
  in_flight.written = true;
  for_lines(in_flight.store, [&](int64_t place, uint64_t address, int bytes) {
    std::memcpy(reinterpret_cast<void*>(address), shared.bytes_at(place), static_cast<size_t>(bytes));
    return true;
  });
}

bool TensorStores::issue(const TensorStore& store, attune_simt_site site, SharedMemory& shared, Stamp me,
                         Random& random) {
  const bool allowed = for_lines(
      store, [&](int64_t place, uint64_t, int bytes) { return shared.begin_tensor_store(place, bytes, me); });
  if (!allowed) return false;
  in_flight_.push_back({.store = store,
                        .thread = me.thread(),
                        .group = groups_of(me.thread()),
                        .site = site,
                        .written = false});
  if (random.bits(2) == 0) write(in_flight_.back(), shared);
  return true;
}

void TensorStores::commit(int thread) {
  ++groups_of(thread);
}

void TensorStores::wait_read(int pending, SharedMemory& shared, Stamp me) {
  const int64_t finished = groups_of(me.thread()) - pending;
  std::erase_if(in_flight_, [&](InFlight& in_flight) {
    if (in_flight.thread != me.thread() || in_flight.group >= finished) return false;
    write(in_flight, shared);
    const Stamp end = me.at_site(shared.site_number(in_flight.site));
    for_lines(in_flight.store, [&](int64_t place, uint64_t, int bytes) {
      shared.end_tensor_store(place, bytes, end);
      return true;
    });
    return true;
  });
}

const attune_simt_site* TensorStores::unfinished(int thread) const {
  const auto found = std::ranges::find(in_flight_, thread, &InFlight::thread);
  return found == in_flight_.end() ? nullptr : &found->site;
}

}  // namespace attune::simt

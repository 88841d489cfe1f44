#include "cuda/tensor_map_cache.h"

namespace attune {

TensorMapCache::Key TensorMapCache::key_of(const PanelTensor& tensor) {
  const auto word = [](int64_t value) { return static_cast<uint64_t>(value); };
  return {reinterpret_cast<uint64_t>(tensor.data),
          word(tensor.rows),
          word(tensor.box_rows) << 16 | static_cast<uint64_t>(tensor.copies) << 8 |
              static_cast<uint64_t>(tensor.dtype),
          word(tensor.batch),
          word(tensor.heads),
          word(tensor.columns),
          word(tensor.row_stride),
          word(tensor.head_stride),
          word(tensor.batch_stride)};
}

// Tensors that are in use together differ in their address, rows or box.
size_t TensorMapCache::slot_of(const Key& key) {
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15;  // 2^64 over the golden ratio
  return (key[0] ^ key[1] << 40 ^ key[2] << 32) * kGolden >> (64 - kSlotBits);
}

bool TensorMapCache::find(TensorMap& map, const PanelTensor& tensor) const noexcept {
  const Key key = key_of(tensor);
  const Slot& slot = slots_[slot_of(key)];
  const uint32_t before = slot.sequence.load(std::memory_order_acquire);
  if (before == 0 || before % 2 != 0) return false;
  bool equal = true;
  for (size_t i = 0; i < kKeyWords; ++i)
    equal &= slot.words[i].load(std::memory_order_relaxed) == key[i];
  if (!equal) return false;
  for (size_t i = 0; i < kMapWords; ++i)
    map.bits[i] = slot.words[kKeyWords + i].load(std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_acquire);
  return slot.sequence.load(std::memory_order_relaxed) == before;
}

void TensorMapCache::keep(const TensorMap& map, const PanelTensor& tensor) noexcept {
  const Key key = key_of(tensor);
  Slot& slot = slots_[slot_of(key)];
  uint32_t before = slot.sequence.load(std::memory_order_relaxed);
  if (before % 2 != 0 ||
      !slot.sequence.compare_exchange_strong(before, before + 1, std::memory_order_acquire))
    return;  // somebody else is keeping another
  std::atomic_thread_fence(std::memory_order_release);
  for (size_t i = 0; i < kKeyWords; ++i)
    slot.words[i].store(key[i], std::memory_order_relaxed);
  for (size_t i = 0; i < kMapWords; ++i)
    slot.words[kKeyWords + i].store(map.bits[i], std::memory_order_relaxed);
  slot.sequence.store(before + 2, std::memory_order_release);
}

}  // namespace attune

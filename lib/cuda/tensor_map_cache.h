// TensorMapCache: the tensor maps encoded lately. Encoding takes a tenth of a microsecond, and callers come
// back with the same tensors.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kernels/tensor_map.h"

namespace attune {

// For any number of threads, none of which ever waits: a slot that is being written is a miss.
class TensorMapCache {
 public:
  // Copies the tensor's map. False when it is not known.
  bool find(TensorMap& map, const PanelTensor& tensor) const noexcept;
  void keep(const TensorMap& map, const PanelTensor& tensor) noexcept;

 private:
  static constexpr int kSlotBits = 8;  // K and V of a hundred layers
  static constexpr size_t kKeyWords = 9;
  static constexpr size_t kMapWords = sizeof(TensorMap) / sizeof(uint64_t);
  using Key = std::array<uint64_t, kKeyWords>;

  // A sequence lock: odd while it is written.
  struct Slot {
    std::atomic<uint32_t> sequence{0};
    std::array<std::atomic<uint64_t>, kKeyWords + kMapWords> words{};
  };

  static Key key_of(const PanelTensor& tensor);
  static size_t slot_of(const Key& key);

  std::array<Slot, size_t{1} << kSlotBits> slots_;
};

}  // namespace attune

// TensorMapCache: tensor maps encoded lately, whatever their address. Encoding takes a tenth of a
// microsecond, and callers come back with the same shapes; replacing the address of a known map takes a tenth
// of that.
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
  // Copies the map of a tensor like this one, at another address maybe. False when it is not known.
  bool find(TensorMap& map, const PanelTensor& tensor) const noexcept;
  void keep(const TensorMap& map, const PanelTensor& tensor) noexcept;

 private:
  static constexpr size_t kSlots = 64;
  static constexpr size_t kKeyWords = 8;
  static constexpr size_t kMapWords = sizeof(TensorMap) / sizeof(uint64_t);
  using Key = std::array<uint64_t, kKeyWords>;

  // A sequence lock: odd while it is written.
  struct Slot {
    std::atomic<uint32_t> sequence{0};
    std::array<std::atomic<uint64_t>, kKeyWords + kMapWords> words{};
  };

  static Key key_of(const PanelTensor& tensor);
  static size_t slot_of(const Key& key);

  std::array<Slot, kSlots> slots_;
};

}  // namespace attune

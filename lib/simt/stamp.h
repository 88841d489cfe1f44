// Stamp: who accessed shared memory, how, where in the template and when, in one word.
#pragma once

#include <cstdint>

namespace attune::simt {

enum class AccessKind : uint8_t { plain, async_copy, matrix_load, tensor_copy };

// Epochs count barriers; a default-made stamp is nobody's and before everything.
class Stamp {
 public:
  static constexpr uint32_t kLastEpoch = (1u << 22) - 1;
  static constexpr int kSites = 256;

  Stamp() = default;
  Stamp(int thread, AccessKind kind, int site, uint32_t block_epoch, uint32_t warp_epoch)
      : bits_(static_cast<uint64_t>(block_epoch) << 42 | static_cast<uint64_t>(warp_epoch) << 20 |
              static_cast<uint64_t>(site) << 12 | static_cast<uint64_t>(kind) << 10 |
              static_cast<uint64_t>(thread)) {}

  int thread() const { return static_cast<int>(bits_ & 1023); }
  int warp() const { return static_cast<int>(bits_ >> 5 & 31); }
  AccessKind kind() const { return static_cast<AccessKind>(bits_ >> 10 & 3); }
  int site() const { return static_cast<int>(bits_ >> 12 & 255); }  // number in a SiteTable
  uint32_t warp_epoch() const { return static_cast<uint32_t>(bits_ >> 20) & kLastEpoch; }
  uint32_t block_epoch() const { return static_cast<uint32_t>(bits_ >> 42); }

  Stamp at_site(int site) const { return Stamp(thread(), kind(), site, block_epoch(), warp_epoch()); }

  // Whether this access is over and visible when `later` happens.
  bool before(Stamp later) const {
    return block_epoch() < later.block_epoch() || thread() == later.thread() ||
           (warp() == later.warp() && warp_epoch() < later.warp_epoch());
  }
  bool operator==(const Stamp&) const = default;

 private:
  uint64_t bits_ = 0;
};

}  // namespace attune::simt

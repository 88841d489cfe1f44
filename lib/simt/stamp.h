// Stamp: who accessed shared memory, how, where in the template and when, in one word.
#pragma once

#include <cstdint>

namespace attune::simt {

enum class AccessKind : uint8_t {
  plain,
  async_copy,
  matrix_load,
  tensor_copy,
  product,
  matrix_store,
  tensor_store
};

// Epochs count barriers; a default-made stamp is nobody's and before everything.
class Stamp {
 public:
  static constexpr uint32_t kLastEpoch = (1u << 20) - 1;
  static constexpr int kSites = 256;
  // Arrivals at mbarriers, and fences, within one warp epoch that are told apart.
  static constexpr uint32_t kMaxArrivals = 7;

  Stamp() = default;
  // `arrivals`: how often the thread has arrived at mbarriers or fenced in this epoch of its warp.
  Stamp(int thread, AccessKind kind, int site, uint32_t block_epoch, uint32_t warp_epoch,
        uint32_t arrivals = 0)
      : bits_(static_cast<uint64_t>(block_epoch) << 44 |
              static_cast<uint64_t>(first_clock(warp_epoch) + arrivals) << 21 |
              static_cast<uint64_t>(site) << 13 | static_cast<uint64_t>(kind) << 10 |
              static_cast<uint64_t>(thread)) {}

  int thread() const { return static_cast<int>(bits_ & 1023); }
  int warp() const { return static_cast<int>(bits_ >> 5 & 31); }
  AccessKind kind() const { return static_cast<AccessKind>(bits_ >> 10 & 7); }
  int site() const { return static_cast<int>(bits_ >> 13 & 255); }  // number in a SiteTable
  uint32_t warp_epoch() const { return static_cast<uint32_t>(bits_ >> 24) & kLastEpoch; }
  uint32_t block_epoch() const { return static_cast<uint32_t>(bits_ >> 44); }

  // The thread's own time: the warp's epoch, then the thread's arrivals.
  uint32_t clock() const { return static_cast<uint32_t>(bits_ >> 21) & ((1u << 23) - 1); }
  static constexpr uint32_t first_clock(uint32_t warp_epoch) { return warp_epoch * (kMaxArrivals + 1); }

  Stamp at_site(int site) const {
    return Stamp(thread(), kind(), site, block_epoch(), warp_epoch(), clock() % (kMaxArrivals + 1));
  }

  // Whether this access is over and visible when `later` happens, as far as block and warp barriers say.
  bool before(Stamp later) const {
    return block_epoch() < later.block_epoch() || thread() == later.thread() ||
           (warp() == later.warp() && warp_epoch() < later.warp_epoch());
  }
  bool operator==(const Stamp&) const = default;

 private:
  uint64_t bits_ = 0;
};

}  // namespace attune::simt

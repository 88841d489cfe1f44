// A ring of slots in shared memory between one thread that has them filled by the copy engine and the warps
// that use them.
#pragma once

#include "isa/isa.cuh"

namespace attune {

// Where somebody is in a ring of SLOTS slots.
template <int SLOTS>
struct RingPosition {
  int slot = 0;
  u32 phase = 0;  // alternates with every turn of the ring

  ATTUNE_FN void advance() {
    if (++slot == SLOTS) {
      slot = 0;
      phase ^= 1;
    }
  }
};

// Barriers of the slots: the first SLOTS say that a slot is full, the others that it is empty.
template <int SLOTS>
struct RingBarriers {
  Shared<u64> start;

  // `users`: warps that use every slot.
  ATTUNE_FN void init(u32 users) const {
    ATTUNE_UNROLL
    for (int slot = 0; slot < SLOTS; ++slot) {
      mbarrier_init(start + slot);
      mbarrier_init(start + (SLOTS + slot), users);
    }
  }
  ATTUNE_FN Shared<u64> full(const RingPosition<SLOTS>& at) const { return start + at.slot; }
  ATTUNE_FN void await_full(const RingPosition<SLOTS>& at) const { mbarrier_wait(full(at), at.phase); }
  // A new ring is empty: its first turn waits for the phase before the first.
  ATTUNE_FN void await_empty(const RingPosition<SLOTS>& at) const {
    mbarrier_wait(start + (SLOTS + at.slot), at.phase ^ 1);
  }
  // The calling warp is done with the slot.
  ATTUNE_FN void release(const RingPosition<SLOTS>& at) const {
    warp_barrier();
    if (lane_index() == 0) mbarrier_arrive(start + (SLOTS + at.slot));
  }
};

}  // namespace attune

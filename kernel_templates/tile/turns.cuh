// Turns: warpgroups that start their products one after the other, so that while those of one run another
// computes exponentials.
#pragma once

#include "isa/isa.cuh"

namespace attune {

// Who of so many comes after this one, round and round.
template <int COUNT>
ATTUNE_FN int next_in_turn(int index) {
  return index + 1 == COUNT ? 0 : index + 1;
}

template <int WARPGROUPS>
struct Turns {
  Shared<u64> start;  // a barrier for each warpgroup: it is its turn
  int self;           // which of them the caller's is
  u32 phase;

  // The first one's first turn begins by itself.
  ATTUNE_FN Turns(Shared<u64> start, int self) : start(start), self(self), phase(self == 0 ? 1 : 0) {}

  // By one thread. `passers`: who arrive to pass a turn, the warps of a warpgroup if it does that itself.
  ATTUNE_FN static void init(Shared<u64> start, u32 passers = 4) {
    ATTUNE_UNROLL
    for (int i = 0; i < WARPGROUPS; ++i)
      mbarrier_init(start + i, passers);
  }
  ATTUNE_FN void await() {
    mbarrier_wait(start + self, phase);
    phase ^= 1;
  }
  ATTUNE_FN void pass() const {
    const int next = next_in_turn<WARPGROUPS>(self);
    warp_barrier();
    if (lane_index() == 0) mbarrier_arrive(start + next);
  }
};

}  // namespace attune

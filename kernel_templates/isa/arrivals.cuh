// The device verb by which blocks of a launch find out who of them is the last. The emulator's twin is in
// simt_arrivals.h; keep the two in step.
#pragma once

#include "isa/portable.cuh"

// Behind the verbs that it is written in.
#include "isa/arrival_count.h"

namespace attune {

// One thread of each of `arrivals` blocks, fewer than 4096, calls this with the same counter, which holds
// nothing (see arrival_count.h) before the first and after the last. True for the last one: after a block
// barrier its block sees what the others wrote to global memory before the block barrier ahead of their
// arrival.
ATTUNE_FN bool arrive_last(Global<u64> counter, u32 arrivals) {
  // All the others have been counted: the guess that is right for the one whom everybody waits for.
  u64 seen = kArrivalTag | (arrivals - 1), before;
  do {  // waits for nobody: it fails only when another one has arrived meanwhile
    before = seen;
    asm volatile("atom.acq_rel.gpu.global.cas.b64 %0, [%1], %2, %3;"
                 : "=l"(seen)
                 : "l"(__cvta_generic_to_global(counter.pointer)), "l"(before),
                   "l"(after_arrival(before, arrivals))
                 : "memory");
  } while (seen != before);
  return arrived(before) + 1 == arrivals;
}

}  // namespace attune

// The device verb of arrivals.cuh on the host, for the SIMT emulator. Keep the two in step.
#pragma once

#include "isa/arrival_count.h"

namespace attune {

// Blocks run on several OS threads, and whoever comes last reads what the others wrote: so this is atomic
// here, too, and orders the same writes.
ATTUNE_FN bool arrive_last(Global<u64> counter, u32 arrivals, attune_simt_site site = simt::here()) {
  simt::check_global(counter.pointer, sizeof(u64), ATTUNE_SIMT_STORE, site);
  u64 before = __atomic_load_n(counter.pointer, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(counter.pointer, &before, after_arrival(before, arrivals), false,
                                      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
  }
  return arrived(before) + 1 == arrivals;
}

}  // namespace attune

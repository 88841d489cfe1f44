// How blocks that arrive at a counter are counted, for both worlds.
#pragma once

namespace attune {

// In the upper bits of a counter that has counted something; it is a pair of NaNs that no arithmetic gives.
// Anything else is memory as it was found, and counts as zero: a workspace need not be prepared for every
// launch.
// NOTE: an enumeration: constants of this scope would be in the image of every kernel, and change the hashes
// that records go by.
enum ArrivalBits : u64 { kArrivalTag = 0xffa7c0deffa7c000ull, kArrivalMask = 0xfffull };

// Those that have arrived, by the counter's value.
ATTUNE_FN u32 arrived(u64 counter) {
  return (counter & ~kArrivalMask) == kArrivalTag ? static_cast<u32>(counter & kArrivalMask) : 0;
}
// The counter's value after one more of `arrivals`: after the last it counts nothing.
ATTUNE_FN u64 after_arrival(u64 counter, u32 arrivals) {
  const u32 count = arrived(counter) + 1;
  return count == arrivals ? 0 : kArrivalTag | count;
}

}  // namespace attune

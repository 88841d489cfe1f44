// KeySplits: among how many blocks the keys of some query rows are divided, where the rows alone are too few
// tiles to fill a device.
#pragma once

#include <cstdint>

namespace attune {

struct KeysToSplit {
  int64_t tiles = 0;             // of query rows, of all heads and sequences
  int64_t keys = 0;              // that a tile reads
  int64_t turn = 1;              // keys that a block takes at once
  int64_t places = 0;            // blocks that the device runs at once; 0: nobody knows
  int64_t bytes_of_partial = 1;  // what a block leaves for the one that puts the parts together
};

struct KeySplits {
  int64_t splits = 1;
  int64_t keys = 0;  // of each, a multiple of `turn`; the last has what is left
};

// The fewest splits that fill the device about as well as any number does. A function of numbers alone, the
// same at every call.
KeySplits split_keys(const KeysToSplit& work);

// Not more splits than this for so many keys, whatever the device.
int64_t most_splits(int64_t keys);

// Not more blocks than this share their keys with others, at any length or batch.
int64_t most_splitting_blocks(int64_t places);

}  // namespace attune

// Which tile of which head a block computes, and which keys that tile sees.
#pragma once

#include "isa/isa.cuh"

namespace attune {

struct TileCoordinates {
  int first_row;
  int head;
  int batch;
};

// Tiles of a head are neighbours in launch order, so that they share its K and V in L2. Under a causal mask
// the last tile has the most keys; LONGEST_FIRST starts with it, so that the short ones fill the end of the
// launch.
template <int BLOCK_ROWS, bool LONGEST_FIRST>
ATTUNE_FN TileCoordinates tile_of_block(u32 block, int tiles, int heads) {
  // Unsigned and 32 bits wide: a launch has fewer blocks than that, and wider divisions take a while.
  const u32 head_and_batch = block / static_cast<u32>(tiles);
  const int tile = static_cast<int>(block % static_cast<u32>(tiles));
  return {(LONGEST_FIRST ? tiles - 1 - tile : tile) * BLOCK_ROWS,
          static_cast<int>(head_and_batch % static_cast<u32>(heads)),
          static_cast<int>(head_and_batch / static_cast<u32>(heads))};
}

// Number of blocks of BLOCK_KEYS keys, from key 0 on, that any row of the tile sees.
template <int BLOCK_ROWS, int BLOCK_KEYS, bool CAUSAL>
ATTUNE_FN int visible_key_blocks(int first_row, int seqlen_q, int seqlen_kv, int diagonal) {
  int keys = seqlen_kv;
  if constexpr (CAUSAL) {
    const int end_row = first_row + BLOCK_ROWS < seqlen_q ? first_row + BLOCK_ROWS : seqlen_q;
    const int seen_by_last_row = end_row + diagonal;
    if (seen_by_last_row < keys) keys = seen_by_last_row;
  }
  return keys > 0 ? (keys + BLOCK_KEYS - 1) / BLOCK_KEYS : 0;
}

}  // namespace attune

// The tiles that a block computes one after the other, where a launch has fewer blocks than tiles.
//
// Heads are taken in sections, whose keys and values stay in L2. Under a causal mask the last tiles of all
// heads of a section come first, since they see the most keys, and tiles get shorter from place to place:
// every other round goes the other way, so that whoever had the longest of one has the shortest of the next.
// A section begins with a round of its own, whence some blocks have nothing to do in the last one before.
#pragma once

#include "attention/tile_order.cuh"
#include "attention/tile_walk.params.h"

namespace attune {

// True when the block has a tile in this round.
template <int BLOCK_ROWS, bool CAUSAL>
ATTUNE_FN bool tile_of_round(TileCoordinates& tile, u32 round, u32 block, const TileWalkParams& walk) {
  const u32 first_head = round / walk.section_rounds * walk.section_heads;
  const u32 left = walk.all_heads - first_head;
  const u32 heads = left < walk.section_heads ? left : walk.section_heads;
  const u32 within = round % walk.section_rounds;
  const u32 place = within * walk.blocks + (CAUSAL && within % 2 == 1 ? walk.blocks - 1 - block : block);
  if (place >= heads * walk.tiles_of_head) return false;
  const u32 head = first_head + (CAUSAL ? place % heads : place / walk.tiles_of_head);
  const u32 index = CAUSAL ? walk.tiles_of_head - 1 - place / heads : place % walk.tiles_of_head;
  tile = {static_cast<int>(index) * BLOCK_ROWS, static_cast<int>(head % walk.heads_q),
          static_cast<int>(head / walk.heads_q)};
  return true;
}

}  // namespace attune

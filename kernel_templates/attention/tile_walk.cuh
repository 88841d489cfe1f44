// The tiles that a block computes one after the other, where a launch has fewer blocks than tiles.
//
// Heads are taken in sections, whose keys and values stay in L2; within a section the last tiles of all its
// heads come first, which under a causal mask see the most keys.
#pragma once

#include "attention/tile_order.cuh"
#include "attention/tile_walk.params.h"

namespace attune {

// In round `round` every block computes one tile. Of tiles that get shorter from place to place, whoever had
// the longest of a round has the shortest of the next: SHORTENING turns every other round around.
template <bool SHORTENING>
ATTUNE_FN u32 place_in_order(u32 round, u32 block, u32 blocks) {
  return round * blocks + (SHORTENING && round % 2 == 1 ? blocks - 1 - block : block);
}

template <int BLOCK_ROWS>
ATTUNE_FN TileCoordinates tile_at(u32 place, const TileWalkParams& walk) {
  const u32 section_tiles = walk.section_heads * walk.tiles_of_head;
  const u32 first_head = place / section_tiles * walk.section_heads;
  const u32 left = walk.all_heads - first_head;
  const u32 heads = left < walk.section_heads ? left : walk.section_heads;
  const u32 within = place % section_tiles;
  const u32 head = first_head + within % heads;
  return {static_cast<int>(walk.tiles_of_head - 1 - within / heads) * BLOCK_ROWS,
          static_cast<int>(head % walk.heads_q), static_cast<int>(head / walk.heads_q)};
}

}  // namespace attune

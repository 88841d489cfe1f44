// The tiles that a block computes one after the other, where a launch has fewer blocks than tiles.
//
// Heads are taken in sections, whose keys and values stay in L2. Under a causal mask the last tiles of all
// heads of a section come first, since they see the most keys, and tiles get shorter from place to place:
// every other round goes the other way, so that whoever had the longest of one has the shortest of the next.
// A section begins with a round of its own, whence some blocks have nothing to do in the last one before.
#pragma once

#include "attention/divisor.cuh"
#include "attention/tile_order.cuh"
#include "attention/tile_walk.params.h"

namespace attune {

// True when the block has a tile in this round.
template <int BLOCK_ROWS, bool CAUSAL>
ATTUNE_FN bool tile_of_round(TileCoordinates& tile, u32 round, u32 block, const TileWalkParams& walk) {
  const u32 section = quotient(round, walk.section_rounds);
  const u32 first_head = section * walk.section_heads.value;
  const bool is_last = walk.all_heads - first_head <= walk.section_heads.value;
  const Divisor heads = is_last ? walk.last_section_heads : walk.section_heads;
  const u32 within = round - section * walk.section_rounds.value;
  const u32 place = within * walk.blocks + (CAUSAL && within % 2 == 1 ? walk.blocks - 1 - block : block);
  if (place >= heads.value * walk.tiles_of_head.value) return false;
  // Under a causal mask a tile of every head, then the next tile of each; else the tiles of a head.
  const Divisor run = CAUSAL ? heads : walk.tiles_of_head;
  const u32 run_index = quotient(place, run);
  const u32 run_place = place - run_index * run.value;
  const u32 head = first_head + (CAUSAL ? run_place : run_index);
  const u32 index = CAUSAL ? walk.tiles_of_head.value - 1 - run_index : run_place;
  const u32 batch = quotient(head, walk.heads_q);
  tile = {static_cast<int>(index) * BLOCK_ROWS, static_cast<int>(head - batch * walk.heads_q.value),
          static_cast<int>(batch)};
  return true;
}

// A block's tiles, one after the other. SEVERAL: it has one in nearly every round; else it has one.
template <int BLOCK_ROWS, bool CAUSAL, bool SEVERAL>
struct TileWalk {
  const TileWalkParams& params;
  u32 round;  // the next one
  u32 block;  // the block's number within a round

  ATTUNE_FN TileWalk(const TileWalkParams& params, u32 block_of_launch)
      : params(params),
        round(SEVERAL ? 0 : block_of_launch / params.blocks),
        block(SEVERAL ? block_of_launch : block_of_launch % params.blocks) {}

  // False when there are no more.
  ATTUNE_FN bool next(TileCoordinates& tile) {
    ATTUNE_NO_UNROLL
    while (round < params.rounds) {
      const u32 this_round = round;
      round = SEVERAL ? round + 1 : params.rounds;
      if (tile_of_round<BLOCK_ROWS, CAUSAL>(tile, this_round, block, params)) return true;
    }
    return false;
  }
};

}  // namespace attune

// The tiles that a block computes one after the other, where a launch has fewer blocks than tiles.
//
// Without a mask the tiles of a head come together, head by head. Under a causal mask the last tiles of a
// head see the most keys. Where a head has many tiles, heads are taken in sections, whose keys and values
// stay in L2: the last tiles of all heads of a section come first, then those before them, so that tiles get
// shorter from place to place; every other round goes the other way, so that whoever had the longest of one
// has the shortest of the next. A section begins with a round of its own, whence some blocks have nothing to
// do in the last one before. Where a head has few tiles, memory is what is short: every round takes all tiles
// of its heads, long ones beside short ones, so that it is asked for as much at all times, and keys are in L2
// while all need them.
#pragma once

#include "attention/divisor.cuh"
#include "attention/tile_order.cuh"
#include "attention/tile_walk.params.h"

namespace attune {

// Which of a head's tiles a block takes in a round of whole heads, where its place is that of tile `index`.
// In two rounds, which mirror each other, every block has equally long ones; then others than before.
ATTUNE_FN u32 mixed_index(u32 index, u32 round, const Divisor& tiles) {
  const u32 shifted = index + round / 2;
  const u32 within = shifted - quotient(shifted, tiles) * tiles.value;
  return round % 2 == 0 ? within : tiles.value - 1 - within;
}

// True when the block has a tile in this round.
template <int BLOCK_ROWS, bool CAUSAL, bool SEVERAL>
ATTUNE_FN bool tile_of_round(TileCoordinates& tile, u32 round, u32 block, const TileWalkParams& walk) {
  const u32 section = quotient(round, walk.section_rounds);
  const u32 first_head = section * walk.section_heads.value;
  const bool is_last = walk.all_heads - first_head <= walk.section_heads.value;
  const Divisor heads = is_last ? walk.last_section_heads : walk.section_heads;
  const u32 within = round - section * walk.section_rounds.value;
  const u32 place = within * walk.blocks + (CAUSAL && within % 2 == 1 ? walk.blocks - 1 - block : block);
  if (place >= heads.value * walk.tiles_of_head.value) return false;
  // A tile of every head, then the next tile of each; or the tiles of a head.
  const bool by_head = !CAUSAL || (SEVERAL && walk.whole_heads);
  const Divisor run = by_head ? walk.tiles_of_head : heads;
  const u32 run_index = quotient(place, run);
  const u32 run_place = place - run_index * run.value;
  const u32 head = first_head + (by_head ? run_index : run_place);
  u32 index = by_head ? run_place : run_index;
  if (CAUSAL && by_head) index = mixed_index(index, round, walk.tiles_of_head);
  if (CAUSAL) index = walk.tiles_of_head.value - 1 - index;
  const u32 batch = quotient(head, walk.heads_q);
  tile = {static_cast<int>(index) * BLOCK_ROWS, static_cast<int>(head - batch * walk.heads_q.value),
          static_cast<int>(batch)};
  return true;
}

// A block's tiles, one after the other. SEVERAL: it has one in nearly every round; else it has one.
template <int BLOCK_ROWS, bool CAUSAL, bool SEVERAL>
struct TileWalk {
  const TileWalkParams& params;
  u32 block;
  u32 round = 0;  // the next one

  ATTUNE_FN TileWalk(const TileWalkParams& params, u32 block) : params(params), block(block) {}
  // Nothing is worked out before it is asked for: blocks of several tiles gain nothing by it.
  ATTUNE_FN void make_uniform() {}

  // False when there are no more.
  ATTUNE_FN bool next(TileCoordinates& tile) {
    ATTUNE_NO_UNROLL
    while (round < params.rounds) {
      const u32 this_round = round++;
      if (tile_of_round<BLOCK_ROWS, CAUSAL, SEVERAL>(tile, this_round, block, params)) return true;
    }
    return false;
  }
};

// The only tile is known from the beginning.
template <int BLOCK_ROWS, bool CAUSAL>
struct TileWalk<BLOCK_ROWS, CAUSAL, false> {
  TileCoordinates tile;
  bool has_next;

  ATTUNE_FN TileWalk(const TileWalkParams& params, u32 block) : tile{} {
    has_next =
        tile_of_round<BLOCK_ROWS, CAUSAL, false>(tile, block / params.blocks, block % params.blocks, params);
  }
  // All lanes of a warp come here, so that the tile is worked out before the branches that ask for it.
  ATTUNE_FN void make_uniform() { tile = {uniform(tile.first_row), uniform(tile.head), uniform(tile.batch)}; }
  ATTUNE_FN bool next(TileCoordinates& next_tile) {
    if (!has_next) return false;
    next_tile = tile;
    has_next = false;
    return true;
  }
};

}  // namespace attune

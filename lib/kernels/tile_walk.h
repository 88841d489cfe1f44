// How the tiles of a launch are shared out among its blocks (kernel_templates/attention/tile_walk.cuh).
#pragma once

#include <cstdint>

#include "attention/tile_walk.params.h"

namespace attune {

struct TilesToWalk {
  int64_t tiles_of_head;
  int64_t heads_q;  // of a sequence
  int64_t batch;
  bool causal;           // tiles differ in length
  int64_t cached_heads;  // so many query heads' keys and values fit in L2
};

// A walk over them of `blocks` blocks, or a few less: those of the result. Where these are no more than the
// tiles each has one in the first round: kernels rely on it.
TileWalkParams persistent_walk(const TilesToWalk& tiles, int64_t blocks);
// The same order where every tile has a block of its own: a section is a round, whose blocks come after those
// of the round before.
TileWalkParams single_walk(const TilesToWalk& tiles);

}  // namespace attune

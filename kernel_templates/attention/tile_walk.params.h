// What blocks that compute several tiles each are told of them, shared by templates and host.
#pragma once

#include "attention/divisor.h"

struct TileWalkParams {
  unsigned blocks;             // that compute a round
  unsigned rounds;             // in each of which a block computes a tile at most
  unsigned all_heads;          // heads_q · batch
  Divisor tiles_of_head;       // of BLOCK_M rows
  Divisor heads_q;             // of a sequence
  Divisor section_heads;       // heads that are worked on together
  Divisor last_section_heads;  // the same of the last section
  Divisor section_rounds;      // rounds they take
  unsigned whole_heads;        // under a causal mask every round takes all tiles of its heads
};

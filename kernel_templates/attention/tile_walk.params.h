// What blocks that compute several tiles each are told of them, shared by templates and host.
#pragma once

struct TileWalkParams {
  unsigned blocks;          // that compute a round
  unsigned rounds;          // in each of which a block computes a tile at most
  unsigned tiles_of_head;   // of BLOCK_M rows
  unsigned heads_q;         // of a sequence
  unsigned all_heads;       // heads_q · batch
  unsigned section_heads;   // heads that are worked on together
  unsigned section_rounds;  // rounds they take
};

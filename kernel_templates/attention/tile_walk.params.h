// What blocks that compute several tiles each are told of them, shared by templates and host.
#pragma once

struct TileWalkParams {
  unsigned blocks;         // of the launch
  unsigned tiles;          // of all heads together
  unsigned tiles_of_head;  // of BLOCK_M rows
  unsigned heads_q;        // of a sequence
  unsigned all_heads;      // heads_q · batch
  unsigned section_heads;  // heads that are worked on together
};

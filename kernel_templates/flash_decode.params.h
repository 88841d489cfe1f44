// Launch arguments of flash_decode, shared by the template and the host. Plain data, one by-value kernel
// parameter.
#pragma once

#include "attention/flash_tensor.h"

struct FlashDecodeParams {
  FlashTensor q, k, v, o;
  void* lse;         // [batch, heads_q, seqlen_q], dense, f32; null: not written
  void* counters;    // u64, one for each tile of packed rows; null where there is one split
  void* partials;    // partial results of the launch's blocks (attention/partial_results.layout.h); likewise
  float scale;       // of the scores
  float scale_log2;  // scale · log2(e)
  int heads_kv;
  int heads_per_kv;  // query heads that share a kv head
  int seqlen_q;
  int keys;          // that any row sees
  int tiles;         // tiles of BLOCK_M packed rows of a kv head
  int splits;        // blocks that share the keys of a tile
  int split_keys;    // keys of a split, a multiple of WARPS · BLOCK_N; the last has fewer
  int diagonal;      // causal: query i sees keys 0 to i + diagonal
  unsigned aligned;  // bit 0 to 3: every row of q, k, v, o starts on a boundary of 16 bytes
};

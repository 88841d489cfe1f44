// Launch arguments of flash_fwd_sm90, shared by the template and the host.
#pragma once

#include "attention/flash_tensor.h"
#include "attention/tile_walk.params.h"
#include "isa/tensor_map.h"

struct FlashFwdSm90Params {
  // For copies of single panels, in boxes of 64 rows (Q) or BLOCK_N rows.
  TensorMap q_map, k_map, v_map;
  TensorMap o_map;   // the same of O, in boxes of 64 rows
  FlashTensor o;     // every row starts on a boundary of 16 bytes
  void* lse;         // [batch, heads_q, seqlen_q], dense, f32; null: not written
  float scale;       // of the scores
  float scale_log2;  // scale · log2(e)
  int seqlen_q;
  int seqlen_kv;
  int diagonal;          // causal: row i sees keys 0 to i + diagonal
  Divisor heads_per_kv;  // query heads that share a kv head
  TileWalkParams walk;
};

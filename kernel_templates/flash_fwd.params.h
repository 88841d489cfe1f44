// Launch arguments of flash_fwd, shared by the template and the host. Plain data, one by-value kernel
// parameter.
#pragma once

#include "attention/flash_tensor.h"
#include "isa/tensor_map.h"

struct FlashFwdParams {
  TensorMap k_map,
      v_map;  // of K and V as [batch, head, panel of 64 columns, row, column], in boxes of BLOCK_N rows
  FlashTensor q, k, v, o;
  void* lse;         // [batch, heads_q, seqlen_q], dense, f32 (f64 for f64); null: not written
  float scale;       // of the scores
  float scale_log2;  // scale · log2(e)
  double scale_f64;  // the same two for f64
  double scale_log2_f64;
  int heads_q;
  int heads_per_kv;  // query heads that share a kv head
  int seqlen_q;
  int seqlen_kv;
  int q_tiles;       // tiles of BLOCK_M rows in seqlen_q
  int diagonal;      // causal: row i sees keys 0 to i + diagonal
  unsigned aligned;  // bit 0 to 3: every row of q, k, v, o starts on a boundary of 16 bytes
};

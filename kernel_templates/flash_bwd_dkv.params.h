// Launch arguments of flash_bwd_dkv, shared by the template and the host.
#pragma once

#include "attention/flash_tensor.h"

struct FlashBwdDkvParams {
  FlashTensor q, k, v, dout;
  FlashTensor dk, dv;     // data is null: not wanted
  const void* row_terms;  // see attention/row_terms.layout.h
  float scale;            // of the scores
  float scale_log2;       // scale · log2(e)
  double scale_f64;       // the same two for f64
  double scale_log2_f64;
  int heads_q;
  int heads_kv;
  int heads_per_kv;  // query heads that share a kv head
  int seqlen_q;
  int seqlen_kv;
  int padded_rows;   // of a head's row terms
  int kv_tiles;      // tiles of BLOCK_N rows in seqlen_kv
  int part_blocks;   // blocks of the launch that compute one gradient, where SEPARATE is 1
  int diagonal;      // causal: row i sees keys 0 to i + diagonal
  unsigned aligned;  // bit 0 to 5: every row of q, k, v, dout, dk, dv starts on a boundary of 16 bytes
};

// Launch arguments of flash_bwd_dq, shared by the template and the host.
#pragma once

#include "attention/flash_tensor.h"

struct FlashBwdDqParams {
  FlashTensor q, k, v, dout, dq;
  const void* row_terms;  // see attention/row_terms.layout.h
  float scale;            // of the scores
  float scale_log2;       // scale · log2(e)
  double scale_f64;       // the same two for f64
  double scale_log2_f64;
  int heads_q;
  int heads_per_kv;  // query heads that share a kv head
  int seqlen_q;
  int seqlen_kv;
  int padded_rows;   // of a head's row terms
  int q_tiles;       // tiles of BLOCK_M rows in seqlen_q
  int diagonal;      // causal: row i sees keys 0 to i + diagonal
  unsigned aligned;  // bit 0 to 4: every row of q, k, v, dout, dq starts on a boundary of 16 bytes
};

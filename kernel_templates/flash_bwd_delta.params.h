// Launch arguments of flash_bwd_delta, shared by the template and the host.
#pragma once

#include "attention/flash_tensor.h"

struct FlashBwdDeltaParams {
  FlashTensor o, dout;
  const void* lse;   // [batch, heads_q, seqlen_q], dense, f32 (f64 for f64)
  const void* dlse;  // the same; null: zero
  void* row_terms;   // see attention/row_terms.layout.h
  int heads_q;
  int seqlen_q;
  int padded_rows;   // of a head's row terms
  int q_tiles;       // blocks of a head
  unsigned aligned;  // bit 0, 1: every row of o, dout starts on a boundary of 16 bytes
};

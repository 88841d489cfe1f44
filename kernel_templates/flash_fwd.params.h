// Launch arguments of flash_fwd, shared by the template and the host. Plain data, one by-value kernel
// parameter.
#pragma once

// Address and element strides of a [batch, head, row, column] tensor; columns are dense.
struct FlashTensor {
  void* data;
  long long batch_stride;
  long long head_stride;
  long long row_stride;
};

struct FlashFwdParams {
  FlashTensor q, k, v, o;
  float* lse;  // [batch, heads_q, seqlen_q], dense; null: not written
  int heads_q;
  int heads_per_kv;  // query heads that share a kv head
  int seqlen_q;
  int seqlen_kv;
  int q_tiles;       // tiles of BLOCK_M rows in seqlen_q
  float scale;       // of the scores
  float scale_log2;  // scale · log2(e)
};

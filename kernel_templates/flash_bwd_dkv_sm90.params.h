// Launch arguments of flash_bwd_dkv_sm90, shared by the template and the host.
#pragma once

#include "flash_bwd_dkv.params.h"
#include "isa/tensor_map.h"

struct FlashBwdDkvSm90Params {
  // Of tensors as [batch, head, panel of 64 columns, row, column], in boxes of BLOCK_M rows (Q and dO) or
  // BLOCK_N rows.
  TensorMap q_map, dout_map, k_map, v_map;
  FlashBwdDkvParams problem;
};

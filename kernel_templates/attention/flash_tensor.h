// FlashTensor: a tensor among the launch arguments of flash_fwd and flash_bwd_*, shared by templates and
// host.
#pragma once

// Address and element strides of a [batch, head, row, column] tensor; columns are dense.
struct FlashTensor {
  void* data;
  long long batch_stride;
  long long head_stride;
  long long row_stride;
};

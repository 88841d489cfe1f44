// The concrete families, one factory each; the registry holds one instance of every family.
#pragma once

#include "kernels/family.h"

namespace attune {

const Family& flash_fwd_family();
const Family& flash_fwd_sm90_family();
const Family& flash_decode_family();
const Family& flash_bwd_delta_family();
const Family& flash_bwd_dkv_family();
const Family& flash_bwd_dq_family();
const Family& flash_bwd_dkv_sm90_family();
const Family& flash_bwd_dq_sm90_family();
const Family& row_softmax_family();

}  // namespace attune

// Packing launches of the gradient kernels, which is the same for every family of a stage.
#pragma once

#include <string>

#include "flash_bwd_dkv.params.h"
#include "flash_bwd_dq.params.h"
#include "kernels/family.h"

namespace attune::flash_bwd {

// What the kernels of a stage are told, for blocks of `shape.rows` rows.
FlashBwdDkvParams dkv_params(const Problem& problem, const LaunchShape& shape, const Arguments& arguments);
FlashBwdDqParams dq_params(const Problem& problem, const LaunchShape& shape, const Arguments& arguments);

// Grid and regions. Throws Error (UNSUPPORTED) when there are more blocks than a grid has.
void set_dkv_shape(Launch& launch, const Problem& problem, const LaunchShape& shape,
                   const Arguments& arguments);
void set_dq_shape(Launch& launch, const Problem& problem, const LaunchShape& shape,
                  const Arguments& arguments);

// Boxes of this many rows of the tensors that both kernels read.
struct BoxRows {
  int queries;  // of q and dout
  int keys;     // of k and v
};
struct InputMaps {
  TensorMap &q, &dout, &k, &v;
};
// Describes them to the copy engine; false when it cannot bring them. `aligned` is that of the parameters.
bool describe_inputs(const InputMaps& maps, const BoxRows& rows, const Problem& problem,
                     const TensorMapEncoder* encoder, const Arguments& arguments, unsigned aligned);

}  // namespace attune::flash_bwd

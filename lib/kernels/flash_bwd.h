// What the host twins of flash_bwd_delta, flash_bwd_dkv and flash_bwd_dq have in common.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "flash_fwd.params.h"
#include "kernels/family.h"

namespace attune::flash_bwd {

// Kernels form addresses of rows that are not there, and then do not use them: an axis of one element gets
// stride 0, so that these are addresses of rows that are.
FlashTensor tensor_of(const TensorView& view, int64_t batch, int64_t heads, int64_t rows);

// `bit` when every row starts on a boundary of 16 bytes, else 0.
unsigned aligned_bit(const FlashTensor& tensor, size_t element, unsigned bit);

// Names a tensor's memory, from its first element to the end of its last; nothing for one that is not there.
void add_region(Launch& launch, const TensorView& view, int64_t batch, int64_t heads, int64_t rows,
                int64_t columns, size_t element);

// Bytes of the row terms of `batch` sequences of `seqlen_q` rows.
size_t row_terms_bytes(const Problem& problem, int64_t batch, int64_t seqlen_q);

// Empty when `problem` is of this operation and its dtype can be multiplied on the device; else why not.
std::string inapplicable_reason(const Problem& problem, Operation operation, const DeviceSpec& device);

// Dtype, head dimensions and mask.
std::vector<Define> defines(const Problem& problem);

// Blocks of a launch, or Error (UNSUPPORTED) when they are more than a grid has.
uint32_t blocks_of(int64_t parts, int64_t tiles, int64_t heads, int64_t batch);

// Registers beside fragments: addresses, row terms, operands in flight; and the whole of it.
int registers_of(const Problem& problem, int fragments);

// Cycles that a step takes of each resource of a multiprocessor; constants are rough, the order of candidates
// is all that is asked of them.
struct StepCost {
  double products = 0;      // multiply-adds
  double pairs = 0;         // exponentials
  double shared_bytes = 0;  // read
  int stages = 1;
};
double step_cycles(const Problem& problem, const StepCost& cost, const BudgetVerdict& verdict);
// Seconds of `blocks` blocks of so many cycles each.
double launch_seconds(double blocks, double cycles, const DeviceSpec& device);

template <typename Params>
void set_launch(Launch& launch, const LaunchShape& shape, uint32_t grid, const Params& params) {
  static_assert(sizeof(Params) <= Launch::kMaxParameterBytes);
  launch.region_count = 0;
  launch.grid = grid;
  launch.block = shape.threads;
  launch.shared_bytes = shape.shared_bytes;
  launch.parameter_bytes = sizeof(params);
  std::memcpy(launch.parameters.data(), &params, sizeof(params));
}

}  // namespace attune::flash_bwd

// row_softmax: y = softmax(x) along the rows of a matrix of f32, the smallest kernel that uses every stage of
// attune.
//
//      columns ->   thread t of the block takes columns t, t + THREADS, ...
//   rows  +--------------------------------+
//    |    | x x x x x x x x x x x x x x x  |   1. every thread: maximum of its columns; warp, then block
//    maximum v    | ...                            |   2. every thread: sum of exp(x - maximum); warp, then
//    block sum
//         +--------------------------------+   3. every thread: exp(x - maximum) / sum
//
// docs/add-a-kernel.md walks through it.
#include "attune_config.h"

// Tunables. The defaults make the file readable and compilable on its own.
#ifndef WARPS
#define WARPS 4  // warps of a block (1, 2, 4, 8)
#endif
#ifndef ROWS_PER_BLOCK
#define ROWS_PER_BLOCK 2  // rows a block takes, one after the other (1, 2, 4)
#endif

#include "isa/isa.cuh"
#include "row_softmax.layout.h"
#include "row_softmax.params.h"

namespace attune {

constexpr int kThreads = 32 * WARPS;
constexpr float kLog2E = 1.4426950408889634f;
constexpr RowSoftmaxLayout kLayout{WARPS, ROWS_PER_BLOCK};

// The maximum over the block of one value per thread; `partial` has a slot for each warp.
ATTUNE_FN float block_maximum(float value, Shared<float> partial) {
  const float of_warp = warp_maximum(value);
  if (lane_index() == 0) partial.store(warp_index(), of_warp);
  block_barrier();
  float result = partial.load(0);
  for (int warp = 1; warp < WARPS; ++warp)
    result = maximum(result, partial.load(warp));
  return result;
}

ATTUNE_FN float block_sum(float value, Shared<float> partial) {
  const float of_warp = warp_sum(value);
  if (lane_index() == 0) partial.store(warp_index(), of_warp);
  block_barrier();
  float result = partial.load(0);
  for (int warp = 1; warp < WARPS; ++warp)
    result += partial.load(warp);
  return result;
}

ATTUNE_FN void softmax_of_row(const RowSoftmaxParams& params, i64 row, int slot) {
  const Global<const float> input = Global<const float>(params.input) + row * params.row_stride;
  const Global<float> output = Global<float>(params.output) + row * params.row_stride;

  float largest = -infinity();
  for (int column = thread_index(); column < params.columns; column += kThreads) {
    largest = maximum(largest, input.load(column));
  }
  largest = block_maximum(largest, dynamic_shared<float>(kLayout.maximum_offset()) + slot * WARPS);

  float sum = 0;
  for (int column = thread_index(); column < params.columns; column += kThreads) {
    sum += exp2_approximate((input.load(column) - largest) * kLog2E);
  }
  sum = block_sum(sum, dynamic_shared<float>(kLayout.sum_offset()) + slot * WARPS);

  const float inverse = 1.0f / sum;
  for (int column = thread_index(); column < params.columns; column += kThreads) {
    output.store(column, exp2_approximate((input.load(column) - largest) * kLog2E) * inverse);
  }
}

}  // namespace attune

ATTUNE_KERNEL(row_softmax, RowSoftmaxParams, 32 * WARPS) {
  using namespace attune;
  require_shared_bytes(kLayout.shared_bytes());
  for (int slot = 0; slot < ROWS_PER_BLOCK; ++slot) {
    const i64 row = block_index() * ROWS_PER_BLOCK + slot;
    if (row < params.rows) softmax_of_row(params, row, slot);  // the whole block takes the same branch
  }
}

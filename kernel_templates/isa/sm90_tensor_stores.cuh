// Device verbs of sm_90 and later with which a tile is written to global memory: matrices from registers to
// shared memory, and the copy engine's stores from there. The emulator's twins are in simt_tensor_stores.h;
// keep the two in step.
//
// Each thread that wrote a part of the tile calls async_proxy_fence(); a barrier follows; then one thread
// starts the stores, commits them, and waits before anybody writes there again.
#pragma once

#include "isa/sm80.cuh"
#include "isa/tensor_map.h"

namespace attune {

// COUNT times stmatrix.x4 of 8x8 matrices of 16-bit elements, the reverse of load_matrices: lane l names as
// row_of(i) the 16-byte row l % 8 of matrix l / 8 of the i-th store, a Shared<T>. fragment[i][m] of a lane
// holds elements (row lane / 4, columns 2·(lane % 4) and the next) of matrix m.
template <int COUNT, typename RowOf>
ATTUNE_FN void store_matrices(const u32 (&fragment)[COUNT][4], const RowOf& row_of) {
#if __CUDA_ARCH__ >= 900
  ATTUNE_UNROLL
  for (int i = 0; i < COUNT; ++i) {
    asm volatile(
        "stmatrix.sync.aligned.m8n8.x4.shared::cta.b16 [%0], {%1, %2, %3, %4};" ::"r"(row_of(i).address()),
        "r"(fragment[i][0]), "r"(fragment[i][1]), "r"(fragment[i][2]), "r"(fragment[i][3])
        : "memory");
  }
#else
  __trap();
#endif
}

// Shows the copy engine what this thread has written to shared memory.
ATTUNE_FN void async_proxy_fence() {
#if __CUDA_ARCH__ >= 900
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

// Starts writing one panel, from `source` on a boundary of 1024 bytes: the map's box of rows of 128 bytes,
// swizzled, to the tensor's rows from `row` and columns from `column` on. What lies beyond its last row or
// column is not written. The map is one of single panels.
// NOTE: shared memory outlives no thread that has yet to wait: who starts a store does not end before
// bulk_wait_read<0>().
template <typename T>
ATTUNE_FN void store_tensor(const TensorMap& map, Shared<T> source, int column, int row, int head,
                            int batch) {
#if __CUDA_ARCH__ >= 900
  asm volatile(
      "cp.async.bulk.tensor.4d.global.shared::cta.bulk_group [%0, {%2, %3, %4, %5}], [%1];" ::"l"(&map),
      "r"(source.address()), "r"(column), "r"(row), "r"(head), "r"(batch)
      : "memory");
#endif
}

// Closes the group of stores this thread started since the last commit.
ATTUNE_FN void bulk_commit() {
#if __CUDA_ARCH__ >= 900
  asm volatile("cp.async.bulk.commit_group;" ::: "memory");
#endif
}

// Waits until all but PENDING of this thread's newest groups have read their shared memory, which may then be
// overwritten. Global memory is written by the kernel's end.
template <int PENDING>
ATTUNE_FN void bulk_wait_read() {
#if __CUDA_ARCH__ >= 900
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(PENDING) : "memory");
#endif
}

}  // namespace attune

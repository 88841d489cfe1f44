// Device verbs of sm_90a: products of a warpgroup (wgmma), which read shared memory, and run while its
// threads do something else. The emulator's twins are in simt_warpgroup.h; keep the two in step.
//
// A warpgroup is four warps, the first of which has an index divisible by four; every verb here is a
// collective of one. Its warp w computes the rows 16 w to 16 w + 15 of 64, in the fragments of
// multiply_tiles.
#pragma once

#include "isa/sm90.cuh"

// What other architectures compile: nothing that could run there.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define ATTUNE_WARPGROUPS 1
#else
#define ATTUNE_WARPGROUPS 0
#endif

#include "isa/matrix_descriptor.h"
#include "isa/sm90_wgmma.cuh"

namespace attune {

// Of the block.
ATTUNE_FN int warpgroup_index() {
  return static_cast<int>(threadIdx.x / 128);
}

// A value that is equal in all lanes of the warp, which call it together, so that the compiler knows it to
// be: descriptors and loops that depend on it are then kept in uniform registers, which products take.
ATTUNE_FN int uniform(int value) {
  return __shfl_sync(0xffffffffu, value, 0);
}
ATTUNE_FN int uniform_warpgroup_index() {
  return uniform(warpgroup_index());
}

// The warpgroup's threads arrive; shared memory written before is visible to them after.
ATTUNE_FN void warpgroup_barrier() {
  asm volatile("bar.sync %0, 128;" ::"r"(1 + warpgroup_index()) : "memory");
}

// From here on each thread of the warpgroup has COUNT registers (a multiple of 8, 24 to 240): fewer than the
// kernel was launched with, or more, which waits until others have given up enough.
template <int COUNT>
ATTUNE_FN void release_registers() {
#if ATTUNE_WARPGROUPS
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(COUNT));
#endif
}
template <int COUNT>
ATTUNE_FN void claim_registers() {
#if ATTUNE_WARPGROUPS
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(COUNT));
#endif
}

// What threads have done to the fragments of the next products, and read of their sums, is done before them.
ATTUNE_FN void warpgroup_arrive() {
#if ATTUNE_WARPGROUPS
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}
// Closes the group of products started since the last commit.
ATTUNE_FN void warpgroup_commit() {
#if ATTUNE_WARPGROUPS
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}
// Waits until at most PENDING of the newest groups are unfinished. Sums and fragments of unfinished ones are
// neither read nor written; a finished sum is pinned before it is read. Waits of different PLACEs are never
// merged by the compiler.
template <int PENDING, int PLACE = 0>
ATTUNE_FN void warpgroup_wait() {
#if ATTUNE_WARPGROUPS
  asm volatile("wgmma.wait_group.sync.aligned %0;  // place %1" ::"n"(PENDING), "n"(PLACE) : "memory");
#endif
}
// Keeps the compiler from reading or writing the fragment on the other side of this place.
template <int N>
ATTUNE_FN void pin(float (&fragment)[N][4]) {
  ATTUNE_UNROLL
  for (int n = 0; n < N; ++n) {
    ATTUNE_UNROLL
    for (int e = 0; e < 4; ++e)
      asm volatile("" : "+f"(fragment[n][e])::"memory");
  }
}

// sum = A · B, or sum += A · B where `accumulate`, for one k-step of 16; T is f16 or bf16. It is started here
// and belongs to the next group that is committed.
//   a      64 x 16 in shared memory, rows of k
//   b      N tiles of 8 columns: rows of k for each column, or with TRANSPOSE_B rows of columns for each k
//   sum    as c[0] of multiply_tiles; N is 1 to 32
template <typename T, bool TRANSPOSE_B, int N>
ATTUNE_FN void multiply_warpgroup(float (&sum)[N][4], u64 a, u64 b, bool accumulate) {
#if ATTUNE_WARPGROUPS
  warpgroup::Product<N>::template run<TRANSPOSE_B>(sum, a, b, accumulate ? 1 : 0, T{});
#else
  __trap();
#endif
}
// The same with `a` in registers, as a[0] of multiply_tiles.
template <typename T, bool TRANSPOSE_B, int N>
ATTUNE_FN void multiply_warpgroup(float (&sum)[N][4], const u32 (&a)[4], u64 b, bool accumulate) {
#if ATTUNE_WARPGROUPS
  warpgroup::Product<N>::template run<TRANSPOSE_B>(sum, a, b, accumulate ? 1 : 0, T{});
#else
  __trap();
#endif
}

}  // namespace attune

// Device verbs of sm_80 and later, with what sm_75 does instead: asynchronous copies, matrix loads,
// tensor-core products. Inline PTX lives here. The emulator's twins are in simt.h; keep the two in step.
#pragma once

#include "isa/portable.cuh"

namespace attune {

// ---- Asynchronous copies from global to shared memory
// ------------------------------------------------------------

// Starts copying 16 bytes, both sides 16-byte aligned. The destination may be read by this thread after
// copy_async_wait, by others after a block barrier that follows it.
template <typename T>
ATTUNE_FN void copy_async16(Shared<T> destination, Global<const T> source) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;"
               :
               : "r"(destination.address()), "l"(__cvta_generic_to_global(source.pointer))
               : "memory");
#else
  destination.store16(0, source.load16(0));
#endif
}

// The same for the first `bytes` of the 16 (whole elements); the others are neither read nor kept, but
// written as zero.
template <typename T>
ATTUNE_FN void copy_async16(Shared<T> destination, Global<const T> source, int bytes) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(destination.address()), "l"(__cvta_generic_to_global(source.pointer)), "r"(bytes)
               : "memory");
#else
  ATTUNE_UNROLL
  for (int i = 0; i < static_cast<int>(16 / sizeof(T)); ++i)
    destination.store(i, i * static_cast<int>(sizeof(T)) < bytes ? source.load(i) : T{});
#endif
}

// Closes the group of copies this thread started since the last commit; a group may be empty.
ATTUNE_FN void copy_async_commit() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most PENDING of this thread's newest groups are unfinished.
template <int PENDING>
ATTUNE_FN void copy_async_wait() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
#endif
}

// ---- Matrices
// ----------------------------------------------------------------------------------------------------

// COUNT times ldmatrix.x4 of 8x8 matrices of 16-bit elements. Lane l names as row_of(i) the 16-byte row l % 8
// of matrix l / 8 of the i-th load, a Shared<T>. fragment[i][m] of a lane holds elements (row lane / 4,
// columns 2·(lane % 4) and the next) of matrix m, or of its transpose.
template <int COUNT, bool TRANSPOSE, typename RowOf>
ATTUNE_FN void load_matrices(u32 (&fragment)[COUNT][4], const RowOf& row_of) {
  ATTUNE_UNROLL
  for (int i = 0; i < COUNT; ++i) {
    const u32 address = row_of(i).address();
    if constexpr (TRANSPOSE) {
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                   : "=r"(fragment[i][0]), "=r"(fragment[i][1]), "=r"(fragment[i][2]), "=r"(fragment[i][3])
                   : "r"(address)
                   : "memory");
    } else {
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                   : "=r"(fragment[i][0]), "=r"(fragment[i][1]), "=r"(fragment[i][2]), "=r"(fragment[i][3])
                   : "r"(address)
                   : "memory");
    }
  }
}

ATTUNE_FN void multiply_tile(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1, f16) {
#if __CUDA_ARCH__ >= 800
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, "
      "%1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  // sm_75 has half the depth: first k 0 to 7, then 8 to 15.
  asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(b0));
  asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[2]), "r"(a[3]), "r"(b1));
#endif
}

ATTUNE_FN void multiply_tile(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1, bf16) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

ATTUNE_FN void multiply_tile(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1, tf32) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// c += a · b for M x N tiles of 16 x 8 and one k-step of 16; T is f16 or bf16, accumulation f32.
//   a[m]   row-major 16x16 fragment: a0 (row l/4, k 2·(l%4)), a1 row + 8, a2 k + 8, a3 both
//   b[j]   two n-tiles: b0 b1 of tile 2j (k, k + 8), b2 b3 of tile 2j + 1
//   c[m][n] rows l/4 (c0 c1) and l/4 + 8 (c2 c3), columns 2·(l%4) and the next
// T may be tf32, with one element in a word instead of two: a k-step of 8, where k is l%4 and k + 4.
template <typename T, int M, int N>
ATTUNE_FN void multiply_tiles(float (&c)[M][N][4], const u32 (&a)[M][4], const u32 (&b)[N / 2][4]) {
  ATTUNE_UNROLL
  for (int n = 0; n < N; ++n) {
    ATTUNE_UNROLL
    for (int m = 0; m < M; ++m)
      multiply_tile(c[m][n], a[m], b[n / 2][2 * (n % 2)], b[n / 2][2 * (n % 2) + 1], T{});
  }
}

}  // namespace attune

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

namespace attune {

// Of the block.
ATTUNE_FN int warpgroup_index() {
  return static_cast<int>(threadIdx.x / 128);
}

// The same, so that the compiler knows it to be equal in all lanes of a warp: descriptors that depend on it
// are then made in uniform registers, which products take.
ATTUNE_FN int uniform_warpgroup_index() {
  return __shfl_sync(0xffffffffu, warpgroup_index(), 0);
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
// neither read nor written; a finished sum is pinned before it is read.
template <int PENDING>
ATTUNE_FN void warpgroup_wait() {
#if ATTUNE_WARPGROUPS
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(PENDING) : "memory");
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

#define ATTUNE_WG_0 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define ATTUNE_WG_1 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define ATTUNE_WG_2 "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47"
#define ATTUNE_WG_3 "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define ATTUNE_WG_4 "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
#define ATTUNE_WG_5 "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define ATTUNE_WG_6 \
  "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111"
#define ATTUNE_WG_7 \
  "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
// The first half of such a group.
#define ATTUNE_WG_2_HALF "%32, %33, %34, %35, %36, %37, %38, %39"
#define ATTUNE_WG_3_HALF "%48, %49, %50, %51, %52, %53, %54, %55"
#define ATTUNE_WG_4_HALF "%64, %65, %66, %67, %68, %69, %70, %71"
#define ATTUNE_WG_5_HALF "%80, %81, %82, %83, %84, %85, %86, %87"
// Two and four tiles of a sum.
#define ATTUNE_WG_TILE(c, n) "+f"(c[n][0]), "+f"(c[n][1]), "+f"(c[n][2]), "+f"(c[n][3])
#define ATTUNE_WG_PAIR(c, n) ATTUNE_WG_TILE(c, n), ATTUNE_WG_TILE(c, n + 1)
#define ATTUNE_WG_SUM(c, n) \
  ATTUNE_WG_TILE(c, n), ATTUNE_WG_TILE(c, n + 1), ATTUNE_WG_TILE(c, n + 2), ATTUNE_WG_TILE(c, n + 3)

namespace warpgroup {

// The instructions for sums of 64 x 8·TILES.
template <int TILES>
struct Product;

// SUM comes in parentheses: it holds commas. The operands after it are numbered, so each size names them.
#define ATTUNE_WG_OPEN(...) __VA_ARGS__
#define ATTUNE_WG_SHARED(TYPE, COLUMNS, REGISTERS, SUM, A, B, ACCUMULATE, TRANSPOSE)                     \
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " ACCUMULATE                                            \
               ", 0;\nwgmma.mma_async.sync.aligned.m64n" COLUMNS "k16.f32." TYPE "." TYPE " {" REGISTERS \
               "}, " A ", " B ", p, 1, 1, 0, " TRANSPOSE ";\n}"                                          \
               : ATTUNE_WG_OPEN SUM                                                                      \
               : "l"(a), "l"(b), "r"(accumulate), "n"(TRANSPOSE_B ? 1 : 0)                               \
               : "memory")
#define ATTUNE_WG_FRAGMENT(TYPE, COLUMNS, REGISTERS, SUM, A0, A1, A2, A3, B, ACCUMULATE, TRANSPOSE)      \
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " ACCUMULATE                                            \
               ", 0;\nwgmma.mma_async.sync.aligned.m64n" COLUMNS "k16.f32." TYPE "." TYPE " {" REGISTERS \
               "}, {" A0 ", " A1 ", " A2 ", " A3 "}, " B ", p, 1, 1, " TRANSPOSE ";\n}"                  \
               : ATTUNE_WG_OPEN SUM                                                                      \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate),                    \
                 "n"(TRANSPOSE_B ? 1 : 0)                                                                \
               : "memory")
#define ATTUNE_WG_PRODUCT(TILES, COLUMNS, REGISTERS, SUM, N0, N1, N2, N3, N4, N5, N6)                 \
  template <>                                                                                         \
  struct Product<TILES> {                                                                             \
    template <bool TRANSPOSE_B>                                                                       \
    ATTUNE_FN static void run(float (&c)[TILES][4], u64 a, u64 b, int accumulate, f16) {              \
      ATTUNE_WG_SHARED("f16", COLUMNS, REGISTERS, SUM, N0, N1, N2, N3);                               \
    }                                                                                                 \
    template <bool TRANSPOSE_B>                                                                       \
    ATTUNE_FN static void run(float (&c)[TILES][4], u64 a, u64 b, int accumulate, bf16) {             \
      ATTUNE_WG_SHARED("bf16", COLUMNS, REGISTERS, SUM, N0, N1, N2, N3);                              \
    }                                                                                                 \
    template <bool TRANSPOSE_B>                                                                       \
    ATTUNE_FN static void run(float (&c)[TILES][4], const u32 (&a)[4], u64 b, int accumulate, f16) {  \
      ATTUNE_WG_FRAGMENT("f16", COLUMNS, REGISTERS, SUM, N0, N1, N2, N3, N4, N5, N6);                 \
    }                                                                                                 \
    template <bool TRANSPOSE_B>                                                                       \
    ATTUNE_FN static void run(float (&c)[TILES][4], const u32 (&a)[4], u64 b, int accumulate, bf16) { \
      ATTUNE_WG_FRAGMENT("bf16", COLUMNS, REGISTERS, SUM, N0, N1, N2, N3, N4, N5, N6);                \
    }                                                                                                 \
  };

ATTUNE_WG_PRODUCT(4, "32", ATTUNE_WG_0, (ATTUNE_WG_SUM(c, 0)), "%16", "%17", "%18", "%19", "%20", "%21",
                  "%22")
ATTUNE_WG_PRODUCT(8, "64", ATTUNE_WG_0 ", " ATTUNE_WG_1, (ATTUNE_WG_SUM(c, 0), ATTUNE_WG_SUM(c, 4)), "%32",
                  "%33", "%34", "%35", "%36", "%37", "%38")
ATTUNE_WG_PRODUCT(10, "80", ATTUNE_WG_0 ", " ATTUNE_WG_1 ", " ATTUNE_WG_2_HALF,
                  (ATTUNE_WG_SUM(c, 0), ATTUNE_WG_SUM(c, 4), ATTUNE_WG_PAIR(c, 8)), "%40", "%41", "%42",
                  "%43", "%44", "%45", "%46")
ATTUNE_WG_PRODUCT(12, "96", ATTUNE_WG_0 ", " ATTUNE_WG_1 ", " ATTUNE_WG_2,
                  (ATTUNE_WG_SUM(c, 0), ATTUNE_WG_SUM(c, 4), ATTUNE_WG_SUM(c, 8)), "%48", "%49", "%50", "%51",
                  "%52", "%53", "%54")
ATTUNE_WG_PRODUCT(14, "112", ATTUNE_WG_0 ", " ATTUNE_WG_1 ", " ATTUNE_WG_2 ", " ATTUNE_WG_3_HALF,
                  (ATTUNE_WG_SUM(c, 0), ATTUNE_WG_SUM(c, 4), ATTUNE_WG_SUM(c, 8), ATTUNE_WG_PAIR(c, 12)),
                  "%56", "%57", "%58", "%59", "%60", "%61", "%62")
ATTUNE_WG_PRODUCT(16, "128", ATTUNE_WG_0 ", " ATTUNE_WG_1 ", " ATTUNE_WG_2 ", " ATTUNE_WG_3,
                  (ATTUNE_WG_SUM(c, 0), ATTUNE_WG_SUM(c, 4), ATTUNE_WG_SUM(c, 8), ATTUNE_WG_SUM(c, 12)),
                  "%64", "%65", "%66", "%67", "%68", "%69", "%70")
ATTUNE_WG_PRODUCT(18, "144",
                  ATTUNE_WG_0 ", " ATTUNE_WG_1 ", " ATTUNE_WG_2 ", " ATTUNE_WG_3 ", " ATTUNE_WG_4_HALF,
                  (ATTUNE_WG_SUM(c, 0), ATTUNE_WG_SUM(c, 4), ATTUNE_WG_SUM(c, 8), ATTUNE_WG_SUM(c, 12),
                   ATTUNE_WG_PAIR(c, 16)),
                  "%72", "%73", "%74", "%75", "%76", "%77", "%78")
ATTUNE_WG_PRODUCT(20, "160", ATTUNE_WG_0 ", " ATTUNE_WG_1 ", " ATTUNE_WG_2 ", " ATTUNE_WG_3 ", " ATTUNE_WG_4,
                  (ATTUNE_WG_SUM(c, 0), ATTUNE_WG_SUM(c, 4), ATTUNE_WG_SUM(c, 8), ATTUNE_WG_SUM(c, 12),
                   ATTUNE_WG_SUM(c, 16)),
                  "%80", "%81", "%82", "%83", "%84", "%85", "%86")
ATTUNE_WG_PRODUCT(22, "176",
                  ATTUNE_WG_0 ", " ATTUNE_WG_1 ", " ATTUNE_WG_2 ", " ATTUNE_WG_3 ", " ATTUNE_WG_4
                              ", " ATTUNE_WG_5_HALF,
                  (ATTUNE_WG_SUM(c, 0), ATTUNE_WG_SUM(c, 4), ATTUNE_WG_SUM(c, 8), ATTUNE_WG_SUM(c, 12),
                   ATTUNE_WG_SUM(c, 16), ATTUNE_WG_PAIR(c, 20)),
                  "%88", "%89", "%90", "%91", "%92", "%93", "%94")
ATTUNE_WG_PRODUCT(24, "192",
                  ATTUNE_WG_0 ", " ATTUNE_WG_1 ", " ATTUNE_WG_2 ", " ATTUNE_WG_3 ", " ATTUNE_WG_4
                              ", " ATTUNE_WG_5,
                  (ATTUNE_WG_SUM(c, 0), ATTUNE_WG_SUM(c, 4), ATTUNE_WG_SUM(c, 8), ATTUNE_WG_SUM(c, 12),
                   ATTUNE_WG_SUM(c, 16), ATTUNE_WG_SUM(c, 20)),
                  "%96", "%97", "%98", "%99", "%100", "%101", "%102")
ATTUNE_WG_PRODUCT(28, "224",
                  ATTUNE_WG_0 ", " ATTUNE_WG_1 ", " ATTUNE_WG_2 ", " ATTUNE_WG_3 ", " ATTUNE_WG_4
                              ", " ATTUNE_WG_5 ", " ATTUNE_WG_6,
                  (ATTUNE_WG_SUM(c, 0), ATTUNE_WG_SUM(c, 4), ATTUNE_WG_SUM(c, 8), ATTUNE_WG_SUM(c, 12),
                   ATTUNE_WG_SUM(c, 16), ATTUNE_WG_SUM(c, 20), ATTUNE_WG_SUM(c, 24)),
                  "%112", "%113", "%114", "%115", "%116", "%117", "%118")
ATTUNE_WG_PRODUCT(32, "256",
                  ATTUNE_WG_0 ", " ATTUNE_WG_1 ", " ATTUNE_WG_2 ", " ATTUNE_WG_3 ", " ATTUNE_WG_4
                              ", " ATTUNE_WG_5 ", " ATTUNE_WG_6 ", " ATTUNE_WG_7,
                  (ATTUNE_WG_SUM(c, 0), ATTUNE_WG_SUM(c, 4), ATTUNE_WG_SUM(c, 8), ATTUNE_WG_SUM(c, 12),
                   ATTUNE_WG_SUM(c, 16), ATTUNE_WG_SUM(c, 20), ATTUNE_WG_SUM(c, 24), ATTUNE_WG_SUM(c, 28)),
                  "%128", "%129", "%130", "%131", "%132", "%133", "%134")

}  // namespace warpgroup

// sum = A · B, or sum += A · B where `accumulate`, for one k-step of 16; T is f16 or bf16. It is started here
// and belongs to the next group that is committed.
//   a      64 x 16 in shared memory, rows of k
//   b      N tiles of 8 columns: rows of k for each column, or with TRANSPOSE_B rows of columns for each k
//   sum    as c[0] of multiply_tiles; N is 4 to 32, a multiple of 4, or 10, 14, 18 or 22
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

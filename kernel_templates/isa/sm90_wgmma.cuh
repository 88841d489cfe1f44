// The wgmma instructions of 16-bit elements with sums in f32, m64nNk16, for every N: 8 to 256 columns.
#pragma once

#include "isa/portable.cuh"

namespace attune::warpgroup {

// Registers of a sum of so many tiles of 8 columns, as text and as operands.
#define ATTUNE_WG_REGISTERS_1 "%0, %1, %2, %3"
#define ATTUNE_WG_REGISTERS_2 ATTUNE_WG_REGISTERS_1 ", %4, %5, %6, %7"
#define ATTUNE_WG_REGISTERS_3 ATTUNE_WG_REGISTERS_2 ", %8, %9, %10, %11"
#define ATTUNE_WG_REGISTERS_4 ATTUNE_WG_REGISTERS_3 ", %12, %13, %14, %15"
#define ATTUNE_WG_REGISTERS_5 ATTUNE_WG_REGISTERS_4 ", %16, %17, %18, %19"
#define ATTUNE_WG_REGISTERS_6 ATTUNE_WG_REGISTERS_5 ", %20, %21, %22, %23"
#define ATTUNE_WG_REGISTERS_7 ATTUNE_WG_REGISTERS_6 ", %24, %25, %26, %27"
#define ATTUNE_WG_REGISTERS_8 ATTUNE_WG_REGISTERS_7 ", %28, %29, %30, %31"
#define ATTUNE_WG_REGISTERS_9 ATTUNE_WG_REGISTERS_8 ", %32, %33, %34, %35"
#define ATTUNE_WG_REGISTERS_10 ATTUNE_WG_REGISTERS_9 ", %36, %37, %38, %39"
#define ATTUNE_WG_REGISTERS_11 ATTUNE_WG_REGISTERS_10 ", %40, %41, %42, %43"
#define ATTUNE_WG_REGISTERS_12 ATTUNE_WG_REGISTERS_11 ", %44, %45, %46, %47"
#define ATTUNE_WG_REGISTERS_13 ATTUNE_WG_REGISTERS_12 ", %48, %49, %50, %51"
#define ATTUNE_WG_REGISTERS_14 ATTUNE_WG_REGISTERS_13 ", %52, %53, %54, %55"
#define ATTUNE_WG_REGISTERS_15 ATTUNE_WG_REGISTERS_14 ", %56, %57, %58, %59"
#define ATTUNE_WG_REGISTERS_16 ATTUNE_WG_REGISTERS_15 ", %60, %61, %62, %63"
#define ATTUNE_WG_REGISTERS_17 ATTUNE_WG_REGISTERS_16 ", %64, %65, %66, %67"
#define ATTUNE_WG_REGISTERS_18 ATTUNE_WG_REGISTERS_17 ", %68, %69, %70, %71"
#define ATTUNE_WG_REGISTERS_19 ATTUNE_WG_REGISTERS_18 ", %72, %73, %74, %75"
#define ATTUNE_WG_REGISTERS_20 ATTUNE_WG_REGISTERS_19 ", %76, %77, %78, %79"
#define ATTUNE_WG_REGISTERS_21 ATTUNE_WG_REGISTERS_20 ", %80, %81, %82, %83"
#define ATTUNE_WG_REGISTERS_22 ATTUNE_WG_REGISTERS_21 ", %84, %85, %86, %87"
#define ATTUNE_WG_REGISTERS_23 ATTUNE_WG_REGISTERS_22 ", %88, %89, %90, %91"
#define ATTUNE_WG_REGISTERS_24 ATTUNE_WG_REGISTERS_23 ", %92, %93, %94, %95"
#define ATTUNE_WG_REGISTERS_25 ATTUNE_WG_REGISTERS_24 ", %96, %97, %98, %99"
#define ATTUNE_WG_REGISTERS_26 ATTUNE_WG_REGISTERS_25 ", %100, %101, %102, %103"
#define ATTUNE_WG_REGISTERS_27 ATTUNE_WG_REGISTERS_26 ", %104, %105, %106, %107"
#define ATTUNE_WG_REGISTERS_28 ATTUNE_WG_REGISTERS_27 ", %108, %109, %110, %111"
#define ATTUNE_WG_REGISTERS_29 ATTUNE_WG_REGISTERS_28 ", %112, %113, %114, %115"
#define ATTUNE_WG_REGISTERS_30 ATTUNE_WG_REGISTERS_29 ", %116, %117, %118, %119"
#define ATTUNE_WG_REGISTERS_31 ATTUNE_WG_REGISTERS_30 ", %120, %121, %122, %123"
#define ATTUNE_WG_REGISTERS_32 ATTUNE_WG_REGISTERS_31 ", %124, %125, %126, %127"
#define ATTUNE_WG_TILE(n) "+f"(c[n][0]), "+f"(c[n][1]), "+f"(c[n][2]), "+f"(c[n][3])
#define ATTUNE_WG_SUM_1 ATTUNE_WG_TILE(0)
#define ATTUNE_WG_SUM_2 ATTUNE_WG_SUM_1, ATTUNE_WG_TILE(1)
#define ATTUNE_WG_SUM_3 ATTUNE_WG_SUM_2, ATTUNE_WG_TILE(2)
#define ATTUNE_WG_SUM_4 ATTUNE_WG_SUM_3, ATTUNE_WG_TILE(3)
#define ATTUNE_WG_SUM_5 ATTUNE_WG_SUM_4, ATTUNE_WG_TILE(4)
#define ATTUNE_WG_SUM_6 ATTUNE_WG_SUM_5, ATTUNE_WG_TILE(5)
#define ATTUNE_WG_SUM_7 ATTUNE_WG_SUM_6, ATTUNE_WG_TILE(6)
#define ATTUNE_WG_SUM_8 ATTUNE_WG_SUM_7, ATTUNE_WG_TILE(7)
#define ATTUNE_WG_SUM_9 ATTUNE_WG_SUM_8, ATTUNE_WG_TILE(8)
#define ATTUNE_WG_SUM_10 ATTUNE_WG_SUM_9, ATTUNE_WG_TILE(9)
#define ATTUNE_WG_SUM_11 ATTUNE_WG_SUM_10, ATTUNE_WG_TILE(10)
#define ATTUNE_WG_SUM_12 ATTUNE_WG_SUM_11, ATTUNE_WG_TILE(11)
#define ATTUNE_WG_SUM_13 ATTUNE_WG_SUM_12, ATTUNE_WG_TILE(12)
#define ATTUNE_WG_SUM_14 ATTUNE_WG_SUM_13, ATTUNE_WG_TILE(13)
#define ATTUNE_WG_SUM_15 ATTUNE_WG_SUM_14, ATTUNE_WG_TILE(14)
#define ATTUNE_WG_SUM_16 ATTUNE_WG_SUM_15, ATTUNE_WG_TILE(15)
#define ATTUNE_WG_SUM_17 ATTUNE_WG_SUM_16, ATTUNE_WG_TILE(16)
#define ATTUNE_WG_SUM_18 ATTUNE_WG_SUM_17, ATTUNE_WG_TILE(17)
#define ATTUNE_WG_SUM_19 ATTUNE_WG_SUM_18, ATTUNE_WG_TILE(18)
#define ATTUNE_WG_SUM_20 ATTUNE_WG_SUM_19, ATTUNE_WG_TILE(19)
#define ATTUNE_WG_SUM_21 ATTUNE_WG_SUM_20, ATTUNE_WG_TILE(20)
#define ATTUNE_WG_SUM_22 ATTUNE_WG_SUM_21, ATTUNE_WG_TILE(21)
#define ATTUNE_WG_SUM_23 ATTUNE_WG_SUM_22, ATTUNE_WG_TILE(22)
#define ATTUNE_WG_SUM_24 ATTUNE_WG_SUM_23, ATTUNE_WG_TILE(23)
#define ATTUNE_WG_SUM_25 ATTUNE_WG_SUM_24, ATTUNE_WG_TILE(24)
#define ATTUNE_WG_SUM_26 ATTUNE_WG_SUM_25, ATTUNE_WG_TILE(25)
#define ATTUNE_WG_SUM_27 ATTUNE_WG_SUM_26, ATTUNE_WG_TILE(26)
#define ATTUNE_WG_SUM_28 ATTUNE_WG_SUM_27, ATTUNE_WG_TILE(27)
#define ATTUNE_WG_SUM_29 ATTUNE_WG_SUM_28, ATTUNE_WG_TILE(28)
#define ATTUNE_WG_SUM_30 ATTUNE_WG_SUM_29, ATTUNE_WG_TILE(29)
#define ATTUNE_WG_SUM_31 ATTUNE_WG_SUM_30, ATTUNE_WG_TILE(30)
#define ATTUNE_WG_SUM_32 ATTUNE_WG_SUM_31, ATTUNE_WG_TILE(31)

// The instructions for sums of 64 x 8·TILES.
template <int TILES>
struct Product;

// The operands after the sum are numbered, so each size names them.
#define ATTUNE_WG_SHARED(TYPE, TILES, COLUMNS, A, B, ACCUMULATE, TRANSPOSE)                      \
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " ACCUMULATE                                    \
               ", 0;\nwgmma.mma_async.sync.aligned.m64n" COLUMNS "k16.f32." TYPE "." TYPE        \
               " {" ATTUNE_WG_REGISTERS_##TILES "}, " A ", " B ", p, 1, 1, 0, " TRANSPOSE ";\n}" \
               : ATTUNE_WG_SUM_##TILES                                                           \
               : "l"(a), "l"(b), "r"(accumulate), "n"(TRANSPOSE_B ? 1 : 0)                       \
               : "memory")
#define ATTUNE_WG_FRAGMENT(TYPE, TILES, COLUMNS, A0, A1, A2, A3, B, ACCUMULATE, TRANSPOSE)                \
  asm volatile(                                                                                           \
      "{\n.reg .pred p;\nsetp.ne.b32 p, " ACCUMULATE ", 0;\nwgmma.mma_async.sync.aligned.m64n" COLUMNS    \
      "k16.f32." TYPE "." TYPE " {" ATTUNE_WG_REGISTERS_##TILES "}, {" A0 ", " A1 ", " A2 ", " A3 "}, " B \
                                                                ", p, 1, 1, " TRANSPOSE ";\n}"            \
      : ATTUNE_WG_SUM_##TILES                                                                             \
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate), "n"(TRANSPOSE_B ? 1 : 0)     \
      : "memory")
#define ATTUNE_WG_PRODUCT(TILES, COLUMNS, N0, N1, N2, N3, N4, N5, N6)                                 \
  template <>                                                                                         \
  struct Product<TILES> {                                                                             \
    template <bool TRANSPOSE_B>                                                                       \
    ATTUNE_FN static void run(float (&c)[TILES][4], u64 a, u64 b, int accumulate, f16) {              \
      ATTUNE_WG_SHARED("f16", TILES, COLUMNS, N0, N1, N2, N3);                                        \
    }                                                                                                 \
    template <bool TRANSPOSE_B>                                                                       \
    ATTUNE_FN static void run(float (&c)[TILES][4], u64 a, u64 b, int accumulate, bf16) {             \
      ATTUNE_WG_SHARED("bf16", TILES, COLUMNS, N0, N1, N2, N3);                                       \
    }                                                                                                 \
    template <bool TRANSPOSE_B>                                                                       \
    ATTUNE_FN static void run(float (&c)[TILES][4], const u32 (&a)[4], u64 b, int accumulate, f16) {  \
      ATTUNE_WG_FRAGMENT("f16", TILES, COLUMNS, N0, N1, N2, N3, N4, N5, N6);                          \
    }                                                                                                 \
    template <bool TRANSPOSE_B>                                                                       \
    ATTUNE_FN static void run(float (&c)[TILES][4], const u32 (&a)[4], u64 b, int accumulate, bf16) { \
      ATTUNE_WG_FRAGMENT("bf16", TILES, COLUMNS, N0, N1, N2, N3, N4, N5, N6);                         \
    }                                                                                                 \
  };

ATTUNE_WG_PRODUCT(1, "8", "%4", "%5", "%6", "%7", "%8", "%9", "%10")
ATTUNE_WG_PRODUCT(2, "16", "%8", "%9", "%10", "%11", "%12", "%13", "%14")
ATTUNE_WG_PRODUCT(3, "24", "%12", "%13", "%14", "%15", "%16", "%17", "%18")
ATTUNE_WG_PRODUCT(4, "32", "%16", "%17", "%18", "%19", "%20", "%21", "%22")
ATTUNE_WG_PRODUCT(5, "40", "%20", "%21", "%22", "%23", "%24", "%25", "%26")
ATTUNE_WG_PRODUCT(6, "48", "%24", "%25", "%26", "%27", "%28", "%29", "%30")
ATTUNE_WG_PRODUCT(7, "56", "%28", "%29", "%30", "%31", "%32", "%33", "%34")
ATTUNE_WG_PRODUCT(8, "64", "%32", "%33", "%34", "%35", "%36", "%37", "%38")
ATTUNE_WG_PRODUCT(9, "72", "%36", "%37", "%38", "%39", "%40", "%41", "%42")
ATTUNE_WG_PRODUCT(10, "80", "%40", "%41", "%42", "%43", "%44", "%45", "%46")
ATTUNE_WG_PRODUCT(11, "88", "%44", "%45", "%46", "%47", "%48", "%49", "%50")
ATTUNE_WG_PRODUCT(12, "96", "%48", "%49", "%50", "%51", "%52", "%53", "%54")
ATTUNE_WG_PRODUCT(13, "104", "%52", "%53", "%54", "%55", "%56", "%57", "%58")
ATTUNE_WG_PRODUCT(14, "112", "%56", "%57", "%58", "%59", "%60", "%61", "%62")
ATTUNE_WG_PRODUCT(15, "120", "%60", "%61", "%62", "%63", "%64", "%65", "%66")
ATTUNE_WG_PRODUCT(16, "128", "%64", "%65", "%66", "%67", "%68", "%69", "%70")
ATTUNE_WG_PRODUCT(17, "136", "%68", "%69", "%70", "%71", "%72", "%73", "%74")
ATTUNE_WG_PRODUCT(18, "144", "%72", "%73", "%74", "%75", "%76", "%77", "%78")
ATTUNE_WG_PRODUCT(19, "152", "%76", "%77", "%78", "%79", "%80", "%81", "%82")
ATTUNE_WG_PRODUCT(20, "160", "%80", "%81", "%82", "%83", "%84", "%85", "%86")
ATTUNE_WG_PRODUCT(21, "168", "%84", "%85", "%86", "%87", "%88", "%89", "%90")
ATTUNE_WG_PRODUCT(22, "176", "%88", "%89", "%90", "%91", "%92", "%93", "%94")
ATTUNE_WG_PRODUCT(23, "184", "%92", "%93", "%94", "%95", "%96", "%97", "%98")
ATTUNE_WG_PRODUCT(24, "192", "%96", "%97", "%98", "%99", "%100", "%101", "%102")
ATTUNE_WG_PRODUCT(25, "200", "%100", "%101", "%102", "%103", "%104", "%105", "%106")
ATTUNE_WG_PRODUCT(26, "208", "%104", "%105", "%106", "%107", "%108", "%109", "%110")
ATTUNE_WG_PRODUCT(27, "216", "%108", "%109", "%110", "%111", "%112", "%113", "%114")
ATTUNE_WG_PRODUCT(28, "224", "%112", "%113", "%114", "%115", "%116", "%117", "%118")
ATTUNE_WG_PRODUCT(29, "232", "%116", "%117", "%118", "%119", "%120", "%121", "%122")
ATTUNE_WG_PRODUCT(30, "240", "%120", "%121", "%122", "%123", "%124", "%125", "%126")
ATTUNE_WG_PRODUCT(31, "248", "%124", "%125", "%126", "%127", "%128", "%129", "%130")
ATTUNE_WG_PRODUCT(32, "256", "%128", "%129", "%130", "%131", "%132", "%133", "%134")

}  // namespace attune::warpgroup

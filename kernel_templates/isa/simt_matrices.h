// The matrix verbs of sm80.cuh on the host, for the SIMT emulator. Keep the two in step.
#pragma once

#include "isa/simt_api.h"

namespace attune {

template <int COUNT, bool TRANSPOSE, typename RowOf>
ATTUNE_FN void load_matrices(u32 (&fragment)[COUNT][4], const RowOf& row_of,
                             attune_simt_site site = simt::here()) {
  i64 offsets[COUNT];
  for (int i = 0; i < COUNT; ++i)
    offsets[i] = row_of(i).byte(0);
  attune_simt_thread* thread = simt::self();
  thread->api->load_matrices(thread, &fragment[0][0], COUNT, TRANSPOSE, offsets, site);
}

namespace simt {

template <typename T>
struct FormatOf;
template <>
struct FormatOf<f16> {
  static constexpr attune_simt_format value = ATTUNE_SIMT_F16;
};
template <>
struct FormatOf<bf16> {
  static constexpr attune_simt_format value = ATTUNE_SIMT_BF16;
};
template <>
struct FormatOf<tf32> {
  static constexpr attune_simt_format value = ATTUNE_SIMT_TF32;
};

}  // namespace simt

template <typename T, int M, int N>
ATTUNE_FN void multiply_tiles(float (&c)[M][N][4], const u32 (&a)[M][4], const u32 (&b)[N / 2][4],
                              attune_simt_site site = simt::here()) {
  static_assert(N % 2 == 0, "a fragment of b holds two tiles");
  attune_simt_thread* thread = simt::self();
  thread->api->multiply_tiles(thread, &c[0][0][0], &a[0][0], &b[0][0], M, N, simt::FormatOf<T>::value, site);
}

}  // namespace attune

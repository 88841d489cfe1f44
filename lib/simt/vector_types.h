// What the software tensor cores are written with: vectors of eight, the columns of a tile.
//
// A kernel is a text (*_kernel.inl) that vector_variants.inl compiles once for each kind of CPU.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "isa/simt_api.h"

#define ATTUNE_INLINE inline __attribute__((always_inline))

namespace attune::simt {

using Floats = float __attribute__((vector_size(32)));
using Words = uint32_t __attribute__((vector_size(32)));
using Halves = uint16_t __attribute__((vector_size(16)));
using Doubles = double __attribute__((vector_size(32)));  // four pairs of floats, moved only

}  // namespace attune::simt

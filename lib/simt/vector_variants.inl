// Includes the text ATTUNE_KERNEL once for each kind of CPU, each time into a namespace of its own that has
// kRows (rows summed at a time) and multiply_add. Included after vector_types.h, in an unnamed namespace.

namespace portable {
constexpr int kRows = 2;
ATTUNE_INLINE void multiply_add(Floats& c, const Floats& a, const Floats& b) {
  c += a * b;
}
#include "simt/widen.inl"
#include ATTUNE_KERNEL
}  // namespace portable

#if defined(__x86_64__)
// Everything between push and pop is compiled for CPUs with these extensions. NOTE: no header may be included
// there, or its inline functions would be, too, and the linker might take them for the whole program.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
namespace avx2 {
constexpr int kRows = 4;
ATTUNE_INLINE void multiply_add(Floats& c, const Floats& a, const Floats& b) {
  c = reinterpret_cast<Floats>(
      _mm256_fmadd_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b), reinterpret_cast<__m256>(c)));
}
#include "simt/widen.inl"
#include ATTUNE_KERNEL
}  // namespace avx2
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

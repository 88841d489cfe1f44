// The device verbs on the host: the same names and the same meaning as portable.cuh and sm80.cuh, for the
// SIMT emulator. Every wait, collective, heavy piece of work and check is a call into the library
// (simt_api.h); the rest is here. Keep it in step with the two.
#pragma once

#include "isa/float_formats.h"
#include "isa/simt_api.h"

#define ATTUNE_FN inline
#define ATTUNE_UNROLL
#define ATTUNE_NO_UNROLL

// The kernel's body follows as a function of one thread. The exported function takes the parameters by
// address.
#define ATTUNE_KERNEL(name, Params, threads) ATTUNE_KERNEL_BLOCKS(name, Params, threads, 1)
#define ATTUNE_KERNEL_ALONE(name, Params, threads) ATTUNE_KERNEL_BLOCKS(name, Params, threads, 1)
#define ATTUNE_KERNEL_BLOCKS(name, Params, threads, blocks)                                           \
  static void attune_simt_body(const Params& params);                                                 \
  extern "C" __attribute__((visibility("default"))) void name(const void* parameters) {               \
    attune_simt_body(*static_cast<const Params*>(parameters));                                        \
  }                                                                                                   \
  extern "C" __attribute__((visibility("default"))) const attune_simt_kernel_info attune_simt_kernel; \
  const attune_simt_kernel_info attune_simt_kernel = {                                                \
      ATTUNE_SIMT_ABI_VERSION, threads, blocks, sizeof(Params), &attune::simt::enter, &name};         \
  static void attune_simt_body(const Params& params)

namespace attune {

using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using i64 = long long;

namespace simt {

// The OS thread's emulated thread. Fibers do not move between OS threads, so the address may be kept in a
// register.
static thread_local attune_simt_thread* current_thread = nullptr;
inline void enter(attune_simt_thread* thread) {
  current_thread = thread;
}

inline attune_simt_thread* self() {
  return current_thread;
}

// As a default argument: where the function that has it is called.
constexpr attune_simt_site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return {file, line};
}

inline void check_global(const void* pointer, int bytes, attune_simt_access access, attune_simt_site site) {
  attune_simt_thread* thread = self();
  const auto address = reinterpret_cast<unsigned long long>(pointer);
  if (address >= thread->region_begin && address + bytes <= thread->region_end && address % bytes == 0)
    return;
  thread->api->global_access(thread, address, bytes, access, site);
}

template <typename T>
struct RemoveConst {
  using Type = T;
};
template <typename T>
struct RemoveConst<const T> {
  using Type = T;
};

}  // namespace simt

// ---- Threads
// -----------------------------------------------------------------------------------------------

ATTUNE_FN int thread_index() {
  return simt::self()->thread;
}
ATTUNE_FN int lane_index() {
  return simt::self()->thread % 32;
}
ATTUNE_FN int warp_index() {
  return simt::self()->thread / 32;
}
ATTUNE_FN i64 block_index() {
  return simt::self()->block;
}

ATTUNE_FN void block_barrier(attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->block_barrier(thread, site);
}
ATTUNE_FN void warp_barrier(attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->warp_barrier(thread, site);
}

ATTUNE_FN void require_shared_bytes(u32 bytes, attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->require_shared_bytes(thread, bytes, site);
}

// ---- Arithmetic
// --------------------------------------------------------------------------------------------

// Builtins of the compiler: <cmath> would be most of what it reads.
ATTUNE_FN float infinity() {
  return __builtin_inff();
}
ATTUNE_FN float maximum(float a, float b) {
  return a > b || b != b ? a : b;
}
ATTUNE_FN double maximum(double a, double b) {
  return a > b || b != b ? a : b;
}
// Compiled with -ffp-contract=off.
ATTUNE_FN float rounded_product(float a, float b) {
  return a * b;
}
ATTUNE_FN double rounded_product(double a, double b) {
  return a * b;
}
ATTUNE_FN float multiply_add(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}
ATTUNE_FN double multiply_add(double a, double b, double c) {
  return __builtin_fma(a, b, c);
}
ATTUNE_FN float natural_log(float x) {
  return __builtin_logf(x);
}
ATTUNE_FN double natural_log(double x) {
  return __builtin_log(x);
}
ATTUNE_FN float exp2_approximate(float x) {
  const float result = __builtin_exp2f(x);
  return result < 0x1p-126f ? 0.0f : result;  // denormals become 0; NaN stays
}
ATTUNE_FN double exp2_approximate(double x) {
  return __builtin_exp2(x);
}
ATTUNE_FN float log2_approximate(float x) {
  return __builtin_log2f(x);
}
ATTUNE_FN float reciprocal_approximate(float x) {
  return 1 / x;
}

// ---- Warp collectives: every lane of the warp calls them together
// ---------------------------------------------

namespace simt {

template <typename Real>
constexpr attune_simt_real real_of() {
  static_assert(sizeof(Real) == 4 || sizeof(Real) == 8, "float or double");
  return sizeof(Real) == 8 ? ATTUNE_SIMT_F64 : ATTUNE_SIMT_F32;
}

}  // namespace simt

template <typename Real, int N>
ATTUNE_FN void quad_maximum(Real (&v)[N], attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->quad_reduce(thread, v, N, ATTUNE_SIMT_MAXIMUM, simt::real_of<Real>(), site);
}
template <typename Real, int N>
ATTUNE_FN void quad_sum(Real (&v)[N], attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->quad_reduce(thread, v, N, ATTUNE_SIMT_SUM, simt::real_of<Real>(), site);
}
template <typename Real, int N>
ATTUNE_FN void quad_broadcast(Real (&out)[N], const Real (&v)[N], int source,
                              attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->quad_broadcast(thread, out, v, N, source, simt::real_of<Real>(), site);
}
ATTUNE_FN bool warp_any(bool condition, attune_simt_site site = simt::here()) {
  float any = condition ? 1.0f : 0.0f;
  attune_simt_thread* thread = simt::self();
  thread->api->warp_reduce(thread, &any, ATTUNE_SIMT_MAXIMUM, site);
  return any > 0;
}
ATTUNE_FN float warp_maximum(float v, attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->warp_reduce(thread, &v, ATTUNE_SIMT_MAXIMUM, site);
  return v;
}
ATTUNE_FN float warp_sum(float v, attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->warp_reduce(thread, &v, ATTUNE_SIMT_SUM, site);
  return v;
}

// ---- Memory
// ------------------------------------------------------------------------------------------------

struct alignas(16) Bytes16 {
  u32 word[4];
};

// Global memory: each access must lie within one of the launch's tensors.
template <typename T>
struct Global {
  T* pointer;

  ATTUNE_FN explicit Global(T* p) : pointer(p) {}
  ATTUNE_FN Global operator+(i64 elements) const { return Global(at(elements)); }
  ATTUNE_FN T load(i64 index, attune_simt_site site = simt::here()) const { return read<Value>(index, site); }
  ATTUNE_FN void store(i64 index, T value, attune_simt_site site = simt::here()) const {
    write(index, value, site);
  }
  ATTUNE_FN Bytes16 load16(i64 index, attune_simt_site site = simt::here()) const {
    return read<Bytes16>(index, site);
  }
  ATTUNE_FN void store16(i64 index, Bytes16 value, attune_simt_site site = simt::here()) const {
    write(index, value, site);
  }

 private:
  using Value = typename simt::RemoveConst<T>::Type;

  // By integers: a wrong index may leave the array, and the check is to say so.
  T* at(i64 index) const {
    return reinterpret_cast<T*>(reinterpret_cast<unsigned long long>(pointer) +
                                index * static_cast<i64>(sizeof(T)));
  }
  template <typename V>
  V read(i64 index, attune_simt_site site) const {
    const T* from = at(index);
    simt::check_global(from, sizeof(V), ATTUNE_SIMT_LOAD, site);
    V value;
    __builtin_memcpy(&value, from, sizeof(V));
    return value;
  }
  template <typename V>
  void write(i64 index, const V& value, attune_simt_site site) const {
    T* to = at(index);
    simt::check_global(to, sizeof(V), ATTUNE_SIMT_STORE, site);
    __builtin_memcpy(to, &value, sizeof(V));
  }
};

// Shared memory of the block, as a byte offset: each access is checked for bounds, alignment and races.
template <typename T>
struct Shared {
  ATTUNE_FN static Shared at_byte(i64 offset) {
    Shared shared;
    shared.offset_ = offset;
    return shared;
  }
  ATTUNE_FN Shared operator+(int elements) const { return at_byte(byte(elements)); }
  template <typename U>
  ATTUNE_FN Shared<U> as() const {
    return Shared<U>::at_byte(offset_);
  }
  ATTUNE_FN T load(int index, attune_simt_site site = simt::here()) const { return read<Value>(index, site); }
  ATTUNE_FN void store(int index, T value, attune_simt_site site = simt::here()) const {
    write(index, value, site);
  }
  ATTUNE_FN void store_pair(int index, u32 pair, attune_simt_site site = simt::here()) const {
    write(index, pair, site);
  }
  ATTUNE_FN Bytes16 load16(int index, attune_simt_site site = simt::here()) const {
    return read<Bytes16>(index, site);
  }
  ATTUNE_FN void store16(int index, Bytes16 value, attune_simt_site site = simt::here()) const {
    write(index, value, site);
  }
  ATTUNE_FN u32 address() const { return static_cast<u32>(offset_); }
  i64 byte(int index) const { return offset_ + static_cast<i64>(index) * static_cast<i64>(sizeof(T)); }

 private:
  using Value = typename simt::RemoveConst<T>::Type;

  Shared() = default;
  unsigned char* access(int index, int bytes, attune_simt_access kind, attune_simt_site site) const {
    attune_simt_thread* thread = simt::self();
    return thread->api->shared_access(thread, byte(index), bytes, kind, site);
  }
  template <typename V>
  V read(int index, attune_simt_site site) const {
    V value;
    __builtin_memcpy(&value, access(index, sizeof(V), ATTUNE_SIMT_LOAD, site), sizeof(V));
    return value;
  }
  template <typename V>
  void write(int index, const V& value, attune_simt_site site) const {
    __builtin_memcpy(access(index, sizeof(V), ATTUNE_SIMT_STORE, site), &value, sizeof(V));
  }

  i64 offset_;
};

template <typename T>
ATTUNE_FN Shared<T> dynamic_shared(int offset) {
  return Shared<T>::at_byte(offset);
}

// ---- 16-bit formats
// ----------------------------------------------------------------------------------------

struct f16 {
  u16 bits;
};
struct bf16 {
  u16 bits;
};

template <typename T>
ATTUNE_FN u32 pack_pair(float low, float high);

template <>
ATTUNE_FN u32 pack_pair<f16>(float low, float high) {
  return f16_from_float(low) | static_cast<u32>(f16_from_float(high)) << 16;
}

template <>
ATTUNE_FN u32 pack_pair<bf16>(float low, float high) {
  return bf16_from_float(low) | static_cast<u32>(bf16_from_float(high)) << 16;
}

ATTUNE_FN float to_real(f16 value) {
  return f16_to_float(value.bits);
}
ATTUNE_FN float to_real(bf16 value) {
  return bf16_to_float(value.bits);
}
ATTUNE_FN u32 bits_of(float value) {
  return __builtin_bit_cast(u32, value);
}
ATTUNE_FN float float_of(u32 bits) {
  return __builtin_bit_cast(float, bits);
}
struct tf32 {};
ATTUNE_FN u32 tf32_of(float value) {
  return (bits_of(value) + 0x1000u) & 0xffffe000u;
}
ATTUNE_FN float to_real(float value) {
  return value;
}
ATTUNE_FN double to_real(double value) {
  return value;
}

// ---- Asynchronous copies from global to shared memory
// ------------------------------------------------------------

// Each element that is read is checked: a chunk may end beyond its tensor. So is the alignment of the whole.
template <typename T>
ATTUNE_FN void copy_async16(Shared<T> destination, Global<const T> source, int bytes,
                            attune_simt_site site = simt::here()) {
  const auto from = reinterpret_cast<unsigned long long>(source.pointer);
  if (bytes == 16 || (bytes > 0 && from % 16 != 0)) {
    simt::check_global(source.pointer, 16, ATTUNE_SIMT_LOAD, site);  // reports the misalignment
  } else {
    for (int i = 0; i < bytes; i += static_cast<int>(sizeof(T)))
      simt::check_global(reinterpret_cast<const void*>(from + i), sizeof(T), ATTUNE_SIMT_LOAD, site);
  }
  attune_simt_thread* thread = simt::self();
  thread->api->copy_async16(thread, destination.byte(0), from, bytes, site);
}
template <typename T>
ATTUNE_FN void copy_async16(Shared<T> destination, Global<const T> source,
                            attune_simt_site site = simt::here()) {
  copy_async16(destination, source, 16, site);
}

ATTUNE_FN void copy_async_commit() {
  attune_simt_thread* thread = simt::self();
  thread->api->copy_async_commit(thread);
}

template <int PENDING>
ATTUNE_FN void copy_async_wait() {
  attune_simt_thread* thread = simt::self();
  thread->api->copy_async_wait(thread, PENDING);
}

}  // namespace attune

#include "isa/simt_arrivals.h"
#include "isa/simt_matrices.h"
#include "isa/simt_tensor_copies.h"
#include "isa/simt_tensor_stores.h"
#include "isa/simt_warpgroup.h"

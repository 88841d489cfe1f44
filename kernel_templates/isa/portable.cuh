// Device verbs that every supported GPU has: threads, barriers, reductions, arithmetic, memory handles.
// The emulator's twins are in simt.h; keep the two in step.
#pragma once

#define ATTUNE_FN __device__ __forceinline__
#define ATTUNE_UNROLL _Pragma("unroll")
#define ATTUNE_NO_UNROLL _Pragma("unroll 1")

// Defines the kernel: one by-value struct of parameters, one-dimensional blocks of `threads`.
#define ATTUNE_KERNEL(name, Params, threads) \
  extern "C" __global__ void __launch_bounds__(threads) name(const __grid_constant__ Params params)
// The same where so many blocks have a multiprocessor to themselves, and the warpgroups of each may share out
// its part of the registers.
#define ATTUNE_KERNEL_BLOCKS(name, Params, threads, blocks) \
  extern "C" __global__ void __launch_bounds__(threads, blocks) name(const __grid_constant__ Params params)
#define ATTUNE_KERNEL_ALONE(name, Params, threads) ATTUNE_KERNEL_BLOCKS(name, Params, threads, 1)

namespace attune {

using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using i64 = long long;

// ---- Threads
// -----------------------------------------------------------------------------------------------

ATTUNE_FN int thread_index() {
  return static_cast<int>(threadIdx.x);
}
ATTUNE_FN int lane_index() {
  return static_cast<int>(threadIdx.x % 32);
}
ATTUNE_FN int warp_index() {
  return static_cast<int>(threadIdx.x / 32);
}
ATTUNE_FN i64 block_index() {
  return static_cast<i64>(blockIdx.x);
}

// All threads of the block arrive; shared and global memory written before is visible after.
ATTUNE_FN void block_barrier() {
  __syncthreads();
}
// All 32 lanes of the warp arrive, with the same promise within the warp.
ATTUNE_FN void warp_barrier() {
  __syncwarp();
}

// Traps unless the block was launched with exactly this much dynamic shared memory: the host's budget and the
// kernel's layout are one formula, and this catches the day they are not.
ATTUNE_FN void require_shared_bytes(u32 bytes) {
  u32 actual;
  asm("mov.u32 %0, %%dynamic_smem_size;" : "=r"(actual));
  if (actual != bytes) __trap();
}

// ---- Arithmetic
// --------------------------------------------------------------------------------------------

ATTUNE_FN float infinity() {
  return __int_as_float(0x7f800000);
}
ATTUNE_FN float maximum(float a, float b) {
  return fmaxf(a, b);
}
ATTUNE_FN double maximum(double a, double b) {
  return fmax(a, b);
}
ATTUNE_FN float multiply_add(float a, float b, float c) {
  return fmaf(a, b, c);
}
ATTUNE_FN double multiply_add(double a, double b, double c) {
  return fma(a, b, c);
}
// a · b rounded, whatever is added to it: the compiler must not fuse it.
ATTUNE_FN float rounded_product(float a, float b) {
  return __fmul_rn(a, b);
}
ATTUNE_FN double rounded_product(double a, double b) {
  return __dmul_rn(a, b);
}
ATTUNE_FN float natural_log(float x) {
  return logf(x);
}
ATTUNE_FN double natural_log(double x) {
  return log(x);
}
// 2^x to about 2 ulp; denormal results of f32 become 0.
ATTUNE_FN float exp2_approximate(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}
ATTUNE_FN double exp2_approximate(double x) {
  return exp2(x);
}
// log2(x) to 2^-22 near 1, else to about 2 ulp; denormals count as 0.
ATTUNE_FN float log2_approximate(float x) {
  float result;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}
// 1 / x to 1 ulp; denormals count as 0.
ATTUNE_FN float reciprocal_approximate(float x) {
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

// ---- Warp collectives: every lane of the warp calls them together
// ---------------------------------------------

// Each v[i] becomes the maximum or the sum over the four lanes of the quad (lanes 4q to 4q+3), the same in
// all four.
template <typename Real, int N>
ATTUNE_FN void quad_maximum(Real (&v)[N]) {
  ATTUNE_UNROLL
  for (int i = 0; i < N; ++i) {
    v[i] = maximum(v[i], __shfl_xor_sync(0xffffffffu, v[i], 1));
    v[i] = maximum(v[i], __shfl_xor_sync(0xffffffffu, v[i], 2));
  }
}
template <typename Real, int N>
ATTUNE_FN void quad_sum(Real (&v)[N]) {
  ATTUNE_UNROLL
  for (int i = 0; i < N; ++i) {
    v[i] += __shfl_xor_sync(0xffffffffu, v[i], 1);
    v[i] += __shfl_xor_sync(0xffffffffu, v[i], 2);
  }
}
// out[i] is the v[i] of the lane at position `source` (0 to 3) of the own quad.
template <typename Real, int N>
ATTUNE_FN void quad_broadcast(Real (&out)[N], const Real (&v)[N], int source) {
  ATTUNE_UNROLL
  for (int i = 0; i < N; ++i)
    out[i] = __shfl_sync(0xffffffffu, v[i], source, 4);
}
// Whether any lane's condition holds, the same answer in all.
ATTUNE_FN bool warp_any(bool condition) {
  return __any_sync(0xffffffffu, condition);
}
// Over all 32 lanes, the same result in all.
ATTUNE_FN float warp_maximum(float v) {
  ATTUNE_UNROLL
  for (int step = 16; step > 0; step /= 2)
    v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, step));
  return v;
}
ATTUNE_FN float warp_sum(float v) {
  ATTUNE_UNROLL
  for (int step = 16; step > 0; step /= 2)
    v += __shfl_xor_sync(0xffffffffu, v, step);
  return v;
}

// ---- Memory
// ------------------------------------------------------------------------------------------------

struct alignas(16) Bytes16 {
  u32 word[4];
};

// Global memory: a plain pointer here, checked against the launch's tensors on the emulator. Indices in
// elements.
template <typename T>
struct Global {
  T* pointer;

  ATTUNE_FN explicit Global(T* p) : pointer(p) {}
  ATTUNE_FN Global operator+(i64 elements) const { return Global(pointer + elements); }
  ATTUNE_FN T load(i64 index) const { return pointer[index]; }
  ATTUNE_FN void store(i64 index, T value) const { pointer[index] = value; }
  // 16 bytes at a 16-byte aligned element.
  ATTUNE_FN Bytes16 load16(i64 index) const { return *reinterpret_cast<const Bytes16*>(pointer + index); }
  ATTUNE_FN void store16(i64 index, Bytes16 value) const {
    *reinterpret_cast<Bytes16*>(pointer + index) = value;
  }
};

// One element or vector of shared memory at a byte address. By PTX: the address stays a 32-bit register with
// a constant offset, where a pointer would be derived anew from the block's window at every use.
ATTUNE_FN void load_shared(u32 address, u16& value) {
  asm volatile("ld.shared.b16 %0, [%1];" : "=h"(value) : "r"(address) : "memory");
}
ATTUNE_FN void load_shared(u32 address, u32& value) {
  asm volatile("ld.shared.b32 %0, [%1];" : "=r"(value) : "r"(address) : "memory");
}
ATTUNE_FN void load_shared(u32 address, u64& value) {
  asm volatile("ld.shared.b64 %0, [%1];" : "=l"(value) : "r"(address) : "memory");
}
ATTUNE_FN void store_shared(u32 address, u16 value) {
  asm volatile("st.shared.b16 [%0], %1;" ::"r"(address), "h"(value) : "memory");
}
ATTUNE_FN void store_shared(u32 address, u32 value) {
  asm volatile("st.shared.b32 [%0], %1;" ::"r"(address), "r"(value) : "memory");
}
ATTUNE_FN void store_shared(u32 address, u64 value) {
  asm volatile("st.shared.b64 [%0], %1;" ::"r"(address), "l"(value) : "memory");
}

// The unsigned integer with as many bytes.
template <int BYTES>
struct BitsOf;
template <>
struct BitsOf<2> {
  using Type = u16;
};
template <>
struct BitsOf<4> {
  using Type = u32;
};
template <>
struct BitsOf<8> {
  using Type = u64;
};

// Shared memory of the block, likewise; an address in its window.
template <typename T>
struct Shared {
  u32 start;

  ATTUNE_FN explicit Shared(u32 address) : start(address) {}
  ATTUNE_FN Shared operator+(int elements) const { return Shared(address_of(elements)); }
  // The same place as elements of another type.
  template <typename U>
  ATTUNE_FN Shared<U> as() const {
    return Shared<U>(start);
  }
  ATTUNE_FN T load(int index) const {
    Bits bits;
    load_shared(address_of(index), bits);
    return reinterpret_cast<const T&>(bits);
  }
  ATTUNE_FN void store(int index, T value) const {
    store_shared(address_of(index), reinterpret_cast<const Bits&>(value));
  }
  // Two elements of 16 bits at an even element; four or two elements at a 16-byte or 8-byte aligned one.
  ATTUNE_FN void store_pair(int index, u32 pair) const { store_shared(address_of(index), pair); }
  ATTUNE_FN Bytes16 load16(int index) const {
    Bytes16 bytes;
    asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(bytes.word[0]), "=r"(bytes.word[1]), "=r"(bytes.word[2]), "=r"(bytes.word[3])
                 : "r"(address_of(index))
                 : "memory");
    return bytes;
  }
  ATTUNE_FN void store16(int index, Bytes16 value) const {
    asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(address_of(index)), "r"(value.word[0]),
                 "r"(value.word[1]), "r"(value.word[2]), "r"(value.word[3])
                 : "memory");
  }
  ATTUNE_FN u32 address() const { return start; }

 private:
  using Bits = typename BitsOf<sizeof(T)>::Type;
  ATTUNE_FN u32 address_of(int index) const {
    return start + static_cast<u32>(index) * static_cast<u32>(sizeof(T));
  }
};

extern __shared__ __align__(1024) unsigned char attune_dynamic_shared[];

// The block's dynamic shared memory from byte `offset` on, as elements of T.
// NOTE: ask once per kernel and go on from there. The address passes through an instruction of its own, so
// that the compiler cannot derive it again from the block's place in a cluster, which takes tens of cycles.
template <typename T>
ATTUNE_FN Shared<T> dynamic_shared(int offset) {
  u32 address;
  asm volatile("mov.u32 %0, %1;"
               : "=r"(address)
               : "r"(static_cast<u32>(__cvta_generic_to_shared(attune_dynamic_shared))));
  return Shared<T>(address + static_cast<u32>(offset));
}

// ---- 16-bit formats: own types, because headers of CUDA are not needed for them
// --------------------------------

struct f16 {
  u16 bits;
};
struct bf16 {
  u16 bits;
};

// The pair (low, high) rounded to nearest even, low in the lower half. (cvt names the upper half first. NOTE)
template <typename T>
ATTUNE_FN u32 pack_pair(float low, float high);

template <>
ATTUNE_FN u32 pack_pair<f16>(float low, float high) {
  u32 pair;
  asm("{ .reg .f16 lo, hi; cvt.rn.f16.f32 lo, %1; cvt.rn.f16.f32 hi, %2; mov.b32 %0, {lo, hi}; }"
      : "=r"(pair)
      : "f"(low), "f"(high));
  return pair;
}

template <>
ATTUNE_FN u32 pack_pair<bf16>(float low, float high) {
  u32 pair;
#if __CUDA_ARCH__ >= 800
  asm("cvt.rn.bf16x2.f32 %0, %2, %1;" : "=r"(pair) : "f"(low), "f"(high));
#else
  pair = 0;
  __trap();
#endif
  return pair;
}

// The value as a number to calculate with: exact.
ATTUNE_FN float to_real(f16 value) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
  return result;
}
ATTUNE_FN float to_real(bf16 value) {
  return __uint_as_float(static_cast<u32>(value.bits) << 16);
}
ATTUNE_FN u32 bits_of(float value) {
  return __float_as_uint(value);
}
ATTUNE_FN float float_of(u32 bits) {
  return __uint_as_float(bits);
}
// TF32 is f32 with 11 significant bits: tensor cores ignore the lowest 13 of a word.
struct tf32 {};
// The nearest, half away from zero, with zeros below.
ATTUNE_FN u32 tf32_of(float value) {
  return (bits_of(value) + 0x1000u) & 0xffffe000u;
}
ATTUNE_FN float to_real(float value) {
  return value;
}
ATTUNE_FN double to_real(double value) {
  return value;
}

}  // namespace attune

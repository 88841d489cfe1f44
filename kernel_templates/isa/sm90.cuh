// Device verbs of sm_90 and later: copies which one thread starts and the copy engine carries out, and the
// barriers in shared memory (mbarriers) on which their arrival is awaited. The emulator's twins are in
// simt_tensor_copies.h; keep the two in step.
#pragma once

#include "isa/sm80.cuh"
#include "isa/tensor_map.h"

namespace attune {

// Of a launch that begins early: the launches before it are done and what they wrote is visible. Every thread
// comes here before it touches tensors; maps among the parameters may be fetched before.
ATTUNE_FN void await_previous_launch() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
// As far as this thread is concerned the next launch may begin, and wait.
ATTUNE_FN void release_next_launch() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// Makes the 8 bytes at `barrier` a barrier whose phases each complete with so many arrivals and all bytes
// they announced. Its first phase has parity 0. One thread does it; before anybody uses the barrier come
// mbarrier_init_fence() in that thread and then a block barrier.
ATTUNE_FN void mbarrier_init(Shared<u64> barrier, u32 arrivals = 1) {
#if __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier.address()), "r"(arrivals) : "memory");
#else
  __trap();
#endif
}

// Shows initialised barriers to the copy engine.
ATTUNE_FN void mbarrier_init_fence() {
#if __CUDA_ARCH__ >= 900
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

// An arrival in the current phase, which announces nothing.
ATTUNE_FN void mbarrier_arrive(Shared<u64> barrier) {
#if __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier.address()) : "memory");
#endif
}

// An arrival in the current phase, which then also waits for `bytes` of copies.
ATTUNE_FN void mbarrier_expect(Shared<u64> barrier, u32 bytes) {
#if __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier.address()), "r"(bytes)
               : "memory");
#endif
}

// Waits until the phase of this parity is complete. What its copies brought is then visible to this thread.
ATTUNE_FN void mbarrier_wait(Shared<u64> barrier, u32 parity) {
#if __CUDA_ARCH__ >= 900
  asm volatile(
      "{\n"
      "  .reg .pred complete;\n"
      "wait:\n"
      "  mbarrier.try_wait.parity.shared::cta.b64 complete, [%0], %1;\n"
      "  @!complete bra wait;\n"
      "}" ::"r"(barrier.address()),
      "r"(parity)
      : "memory");
#endif
}

// Has a map brought to the engine before its first copy is started.
ATTUNE_FN void prefetch_map(const TensorMap& map) {
#if __CUDA_ARCH__ >= 900
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
#endif
}

// Starts copying the box at rows `row` on of one head: to `destination`, on a boundary of 1024 bytes, as
// panels of 128 bytes by BOX rows, swizzled. Rows beyond the tensor's arrive as zeros and count among the
// bytes.
template <typename T>
ATTUNE_FN void copy_tensor(Shared<T> destination, const TensorMap& map, Shared<u64> barrier, int row,
                           int head, int batch) {
#if __CUDA_ARCH__ >= 900
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %3, "
      "%5, "
      "%6}], [%2];" ::"r"(destination.address()),
      "l"(&map), "r"(barrier.address()), "r"(0), "r"(row), "r"(head), "r"(batch)
      : "memory");
#endif
}

// The same for one panel of 64 columns, by a map that was encoded for single panels (PanelCopies::one).
// Columns beyond the tensor's arrive as zeros, too, and count.
template <typename T>
ATTUNE_FN void copy_panel(Shared<T> destination, const TensorMap& map, Shared<u64> barrier, int panel,
                          int row, int head, int batch) {
#if __CUDA_ARCH__ >= 900
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, "
      "%6}], [%2];" ::"r"(destination.address()),
      "l"(&map), "r"(barrier.address()), "r"(64 * panel), "r"(row), "r"(head), "r"(batch)
      : "memory");
#endif
}

// Starts copying `bytes`, a multiple of 16 as are both addresses.
template <typename T>
ATTUNE_FN void copy_bulk(Shared<T> destination, Global<const T> source, u32 bytes, Shared<u64> barrier) {
#if __CUDA_ARCH__ >= 900
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
          destination.address()),
      "l"(__cvta_generic_to_global(source.pointer)), "r"(bytes), "r"(barrier.address())
      : "memory");
#endif
}

}  // namespace attune

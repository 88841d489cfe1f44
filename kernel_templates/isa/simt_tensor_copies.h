// The device verbs of sm90.cuh on the host, for the SIMT emulator. Keep the two in step.
#pragma once

#include "isa/tensor_map.h"

namespace attune {

ATTUNE_FN void mbarrier_init(Shared<u64> barrier, u32 arrivals = 1, attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->mbarrier_init(thread, barrier.byte(0), arrivals, site);
}

ATTUNE_FN void mbarrier_init_fence() {
  attune_simt_thread* thread = simt::self();
  thread->api->mbarrier_init_fence(thread);
}

ATTUNE_FN void mbarrier_arrive(Shared<u64> barrier, attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->mbarrier_arrive(thread, barrier.byte(0), site);
}

ATTUNE_FN void mbarrier_expect(Shared<u64> barrier, u32 bytes, attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->mbarrier_expect(thread, barrier.byte(0), bytes, site);
}

ATTUNE_FN void mbarrier_wait(Shared<u64> barrier, u32 parity, attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->mbarrier_wait(thread, barrier.byte(0), parity, site);
}

// Launches of the emulator follow one another, and time is not what it is about.
ATTUNE_FN void await_previous_launch() {}
ATTUNE_FN void release_next_launch() {}
ATTUNE_FN void prefetch_map(const TensorMap&) {}

template <typename T>
ATTUNE_FN void copy_tensor(Shared<T> destination, const TensorMap& map, Shared<u64> barrier, int row,
                           int head, int batch, attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->copy_tensor(thread, destination.byte(0), &map, barrier.byte(0), -1, row, head, batch, site);
}

template <typename T>
ATTUNE_FN void copy_panel(Shared<T> destination, const TensorMap& map, Shared<u64> barrier, int panel,
                          int row, int head, int batch, attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->copy_tensor(thread, destination.byte(0), &map, barrier.byte(0), panel, row, head, batch, site);
}

template <typename T>
ATTUNE_FN void copy_bulk(Shared<T> destination, Global<const T> source, u32 bytes, Shared<u64> barrier,
                         attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->copy_bulk(thread, destination.byte(0), reinterpret_cast<unsigned long long>(source.pointer),
                         bytes, barrier.byte(0), site);
}

}  // namespace attune

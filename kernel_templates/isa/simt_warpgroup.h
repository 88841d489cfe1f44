// The device verbs of sm90_warpgroup.cuh on the host, for the SIMT emulator. Keep the two in step.
#pragma once

#include "isa/matrix_descriptor.h"

namespace attune {

ATTUNE_FN int warpgroup_index() {
  return thread_index() / 128;
}

// Lanes whose values differ get what none of them has: on a GPU they would get another's.
ATTUNE_FN int uniform(int value, attune_simt_site site = simt::here()) {
  const float high = static_cast<float>(value >> 16), low = static_cast<float>(value & 0xffff);
  const float largest_high = warp_maximum(high, site), largest_low = warp_maximum(low, site);
  return warp_any(largest_high != high || largest_low != low, site) ? ~value : value;
}
ATTUNE_FN int uniform_warpgroup_index() {
  return uniform(warpgroup_index());
}

ATTUNE_FN void warpgroup_barrier(attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->warpgroup_barrier(thread, site);
}

template <int COUNT>
ATTUNE_FN void release_registers(attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->change_registers(thread, COUNT, 0, site);
}
template <int COUNT>
ATTUNE_FN void claim_registers(attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->change_registers(thread, COUNT, 1, site);
}

ATTUNE_FN void warpgroup_arrive() {
  attune_simt_thread* thread = simt::self();
  thread->api->warpgroup_arrive(thread);
}
ATTUNE_FN void warpgroup_commit() {
  attune_simt_thread* thread = simt::self();
  thread->api->warpgroup_commit(thread);
}
template <int PENDING, int PLACE = 0>
ATTUNE_FN void warpgroup_wait(attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->warpgroup_wait(thread, PENDING, site);
}
// The calls into the library keep their order, and sums are in memory.
template <int N>
ATTUNE_FN void pin(float (&)[N][4]) {}

template <typename T, bool TRANSPOSE_B, int N>
ATTUNE_FN void multiply_warpgroup(float (&sum)[N][4], u64 a, u64 b, bool accumulate,
                                  attune_simt_site site = simt::here()) {
  static_assert(N <= 32, "sizes the device has instructions for");
  attune_simt_thread* thread = simt::self();
  thread->api->multiply_warpgroup(thread, &sum[0][0], N, nullptr, a, b, TRANSPOSE_B, accumulate,
                                  simt::FormatOf<T>::value, site);
}
template <typename T, bool TRANSPOSE_B, int N>
ATTUNE_FN void multiply_warpgroup(float (&sum)[N][4], const u32 (&a)[4], u64 b, bool accumulate,
                                  attune_simt_site site = simt::here()) {
  static_assert(N <= 32, "sizes the device has instructions for");
  attune_simt_thread* thread = simt::self();
  thread->api->multiply_warpgroup(thread, &sum[0][0], N, a, 0, b, TRANSPOSE_B, accumulate,
                                  simt::FormatOf<T>::value, site);
}

}  // namespace attune

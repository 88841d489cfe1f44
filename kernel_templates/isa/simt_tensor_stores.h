// The device verbs of sm90_tensor_stores.cuh on the host, for the SIMT emulator. Keep the two in step.
#pragma once

#include "isa/tensor_map.h"

namespace attune {

template <int COUNT, typename RowOf>
ATTUNE_FN void store_matrices(const u32 (&fragment)[COUNT][4], const RowOf& row_of,
                              attune_simt_site site = simt::here()) {
  i64 offsets[COUNT];
  for (int i = 0; i < COUNT; ++i)
    offsets[i] = row_of(i).byte(0);
  attune_simt_thread* thread = simt::self();
  thread->api->store_matrices(thread, &fragment[0][0], COUNT, offsets, site);
}

ATTUNE_FN void async_proxy_fence() {
  attune_simt_thread* thread = simt::self();
  thread->api->async_proxy_fence(thread);
}

template <typename T>
ATTUNE_FN void store_tensor(const TensorMap& map, Shared<T> source, int column, int row, int head, int batch,
                            attune_simt_site site = simt::here()) {
  attune_simt_thread* thread = simt::self();
  thread->api->store_tensor(thread, &map, source.byte(0), column, row, head, batch, site);
}

ATTUNE_FN void bulk_commit() {
  attune_simt_thread* thread = simt::self();
  thread->api->bulk_commit(thread);
}

template <int PENDING>
ATTUNE_FN void bulk_wait_read() {
  attune_simt_thread* thread = simt::self();
  thread->api->bulk_wait_read(thread, PENDING);
}

}  // namespace attune

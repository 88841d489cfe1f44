// The verbs of isa/simt_api.h with which tiles are stored by the copy engine.
#pragma once

#include "isa/simt_api.h"

namespace attune::simt {

void store_matrices(attune_simt_thread* thread, const unsigned* fragment, int count, const long long* offsets,
                    attune_simt_site site);
void async_proxy_fence(attune_simt_thread* thread);
void store_tensor(attune_simt_thread* thread, const TensorMap* map, long long offset, int column, int row,
                  int head, int batch, attune_simt_site site);
void bulk_commit(attune_simt_thread* thread);
void bulk_wait_read(attune_simt_thread* thread, int pending);

}  // namespace attune::simt

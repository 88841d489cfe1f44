#include "simt/tensor_store_verbs.h"

#include <fmt/format.h>

#include "simt/simt_tensor_maps.h"
#include "simt/worker.h"

namespace attune::simt {

// Each lane writes the row that it named.
void store_matrices(attune_simt_thread* thread, const unsigned* fragment, int count, const long long* offsets,
                    attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  const LaneCall call{{}, {.offsets = offsets}, {.stored = fragment}};
  if (!worker.rendezvous(Verb::store_matrices, static_cast<uint32_t>(count), call, site)) return;
  const LaneCalls& lanes = worker.lanes();
  const int first = worker.running() / kWarpLanes * kWarpLanes;
  for (int i = 0; i < count; ++i) {
    std::array<unsigned char*, kWarpLanes> rows;
    for (int lane = 0; lane < kWarpLanes; ++lane) {
      rows[lane] = worker.shared_access(first + lane, lanes[lane].offsets[i], 16, true,
                                        AccessKind::matrix_store, site);
    }
    gather_matrices(lanes, rows, i);
  }
  worker.end_rendezvous();
}

void async_proxy_fence(attune_simt_thread* thread) {
  Worker::of(thread).async_proxy_fence();
}

void store_tensor(attune_simt_thread* thread, const TensorMap* map, long long offset, int column, int row,
                  int head, int batch, attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  const int self = worker.running();
  const PanelTensor* tensor = decode(*map);
  if (!tensor) worker.fault(self, site, "a tensor store by a map that nobody encoded");
  if (tensor->copies != PanelCopies::one)
    worker.fault(self, site, "a tensor store of one panel by a map of all panels");
  constexpr int kAlignment = 1024;
  if (offset % kAlignment != 0) {
    worker.fault(
        self, site,
        fmt::format("a tensor store of shared byte {}: must be a multiple of {}", offset, kAlignment));
  }
  if (column < 0 || row < 0 || head < 0 || head >= tensor->heads || batch < 0 || batch >= tensor->batch) {
    worker.fault(self, site,
                 fmt::format("a tensor store to column {} and row {} of head {} of sequence {}: the tensor "
                             "has {} heads and {} sequences",
                             column, row, head, batch, tensor->heads, tensor->batch));
  }
  const TensorStore store{*tensor, offset, column, row, head, batch};
  const auto row_bytes = static_cast<int>(store.row_bytes());
  for (int64_t r = 0; row_bytes > 0 && r < store.rows(); ++r)
    worker.require_region(store.address_of(r), row_bytes, true, site);
  const Stamp stamp = worker.stamp(self, AccessKind::tensor_store, worker.shared().site_number(site));
  if (!worker.tensor_stores().issue(store, site, worker.shared(), stamp, worker.random()))
    worker.fault(self, site, worker.shared().fault());
}

void bulk_commit(attune_simt_thread* thread) {
  Worker& worker = Worker::of(thread);
  worker.tensor_stores().commit(worker.running());
}

void bulk_wait_read(attune_simt_thread* thread, int pending) {
  Worker& worker = Worker::of(thread);
  worker.tensor_stores().wait_read(pending, worker.shared(),
                                   worker.stamp(worker.running(), AccessKind::tensor_store, 0));
}

}  // namespace attune::simt

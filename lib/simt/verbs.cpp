// The verbs of isa/simt_api.h: thin, so that each concept stays in its own file.
#include <fmt/format.h>

#include <algorithm>

#include "simt/simt_tensor_maps.h"
#include "simt/tensor_store_verbs.h"
#include "simt/warpgroup_verbs.h"
#include "simt/worker.h"

namespace attune::simt {
namespace {

void block_barrier(attune_simt_thread* thread, attune_simt_site site) {
  Worker::of(thread).block_barrier(site);
}

void warp_barrier(attune_simt_thread* thread, attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  if (!worker.rendezvous(Verb::warp_barrier, 0, LaneCall{}, site)) return;
  worker.begin_warp_epoch(site);
  worker.end_rendezvous();
}

void require_shared_bytes(attune_simt_thread* thread, unsigned bytes, attune_simt_site site) {
  Worker::of(thread).require_shared_bytes(bytes, site);
}

unsigned char* shared_access(attune_simt_thread* thread, long long offset, int bytes,
                             attune_simt_access access, attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  return worker.shared_access(worker.running(), offset, bytes, access == ATTUNE_SIMT_STORE, AccessKind::plain,
                              site);
}

void global_access(attune_simt_thread* thread, unsigned long long address, int bytes,
                   attune_simt_access access, attune_simt_site site) {
  Worker::of(thread).check_global(address, bytes, access == ATTUNE_SIMT_STORE, site);
}

// Tells calls of a collective apart by what must be the same in all lanes.
uint32_t shape_of(int count, attune_simt_real real) {
  return static_cast<uint32_t>(count) * 2 + static_cast<uint32_t>(real);
}

void quad_reduce(attune_simt_thread* thread, void* v, int count, attune_simt_reduction reduction,
                 attune_simt_real real, attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  const Verb verb = reduction == ATTUNE_SIMT_SUM ? Verb::quad_sum : Verb::quad_maximum;
  LaneCall call;
  if (real == ATTUNE_SIMT_F64) {
    call.wide_values = static_cast<double*>(v);
  } else {
    call.values = static_cast<float*>(v);
  }
  if (!worker.rendezvous(verb, shape_of(count, real), call, site)) return;
  reduce_quads(worker.lanes(), count, reduction, real);
  worker.end_rendezvous();
}

void quad_broadcast(attune_simt_thread* thread, void* out, const void* v, int count, int source,
                    attune_simt_real real, attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  LaneCall call;
  call.source = source;
  if (real == ATTUNE_SIMT_F64) {
    call.wide_values = static_cast<double*>(out);
    call.wide_shown = static_cast<const double*>(v);
  } else {
    call.values = static_cast<float*>(out);
    call.shown = static_cast<const float*>(v);
  }
  if (!worker.rendezvous(Verb::quad_broadcast, shape_of(count, real), call, site)) return;
  broadcast_in_quads(worker.lanes(), count, real);
  worker.end_rendezvous();
}

void warp_reduce(attune_simt_thread* thread, float* v, attune_simt_reduction reduction,
                 attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  const Verb verb = reduction == ATTUNE_SIMT_SUM ? Verb::warp_sum : Verb::warp_maximum;
  if (!worker.rendezvous(verb, 0, LaneCall{{.values = v}, {}, {}}, site)) return;
  reduce_warp(worker.lanes(), reduction);
  worker.end_rendezvous();
}

void load_matrices(attune_simt_thread* thread, unsigned* fragment, int count, int transpose,
                   const long long* offsets, attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  const LaneCall call{{.fragment = fragment}, {.offsets = offsets}, {}};
  const uint32_t shape = static_cast<uint32_t>(count) * 2 + static_cast<uint32_t>(transpose != 0);
  if (!worker.rendezvous(Verb::load_matrices, shape, call, site)) return;
  const LaneCalls& lanes = worker.lanes();
  const int first = worker.running() / kWarpLanes * kWarpLanes;
  for (int i = 0; i < count; ++i) {
    std::array<const unsigned char*, kWarpLanes> rows;
    for (int lane = 0; lane < kWarpLanes; ++lane) {
      rows[lane] = worker.shared_access(first + lane, lanes[lane].offsets[i], 16, false,
                                        AccessKind::matrix_load, site);
    }
    spread_matrices(lanes, rows, i, transpose != 0);
  }
  worker.end_rendezvous();
}

void multiply_tiles(attune_simt_thread* thread, float* c, const unsigned* a, const unsigned* b, int m, int n,
                    attune_simt_format format, attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  if (m > TileMultiplier::kMaxM || n > TileMultiplier::kMaxN) {
    worker.fault(worker.running(), site, "multiply_tiles of more tiles than the emulator takes");
  }
  const LaneCall call{{.values = c}, {.a = a}, {.b = b}};
  const uint32_t shape =
      static_cast<uint32_t>(m) << 16 | static_cast<uint32_t>(n) << 2 | static_cast<uint32_t>(format);
  if (!worker.rendezvous(Verb::multiply_tiles, shape, call, site)) return;
  std::array<LaneFragments, kWarpLanes> fragments;
  const LaneCalls& lanes = worker.lanes();
  for (int lane = 0; lane < kWarpLanes; ++lane)
    fragments[lane] = {lanes[lane].values, lanes[lane].a, lanes[lane].b};
  worker.multiplier().multiply(fragments, m, n, format);
  worker.end_rendezvous();
}

void copy_async16(attune_simt_thread* thread, long long offset, unsigned long long source, int bytes,
                  attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  const int self = worker.running();
  const bool issued = worker.copies().issue(
      self, offset, reinterpret_cast<const void*>(source), bytes, worker.shared(),
      worker.stamp(self, AccessKind::async_copy, worker.shared().site_number(site)), worker.random());
  if (!issued) worker.fault(self, site, worker.shared().fault());
}

void copy_async_commit(attune_simt_thread* thread) {
  Worker& worker = Worker::of(thread);
  worker.copies().commit(worker.running(), worker.shared(), worker.random());
}

void copy_async_wait(attune_simt_thread* thread, int pending) {
  Worker& worker = Worker::of(thread);
  const int self = worker.running();
  worker.copies().wait(self, pending, worker.shared(), worker.stamp(self, AccessKind::async_copy, 0));
}

void mbarrier_init(attune_simt_thread* thread, long long offset, unsigned arrivals, attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  const int self = worker.running();
  worker.shared_access(self, offset, 8, true, AccessKind::plain, site);
  if (const std::string fault = worker.mbarriers().init(offset, arrivals); !fault.empty())
    worker.fault(self, site, fault);
}

void mbarrier_init_fence(attune_simt_thread* thread) {
  Worker::of(thread).mbarriers().fence();
}

void mbarrier_arrive(attune_simt_thread* thread, long long offset, attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  worker.mbarrier_arrive(worker.mbarrier_at(offset, site), 0, site);
}

void mbarrier_expect(attune_simt_thread* thread, long long offset, unsigned bytes, attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  worker.mbarrier_arrive(worker.mbarrier_at(offset, site), bytes, site);
}

void mbarrier_wait(attune_simt_thread* thread, long long offset, unsigned parity, attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  worker.mbarrier_wait(worker.mbarrier_at(offset, site), parity, site);
}

// The mbarrier that a copy is to arrive at.
int copy_barrier_at(Worker& worker, long long barrier_offset, attune_simt_site site) {
  const int barrier = worker.mbarrier_at(barrier_offset, site);
  if (!worker.mbarriers().is_fenced(barrier)) {
    worker.fault(
        worker.running(), site,
        fmt::format("a tensor copy to the mbarrier at shared byte {}, with no mbarrier_init_fence since its "
                    "initialisation",
                    barrier_offset));
  }
  return barrier;
}

template <typename Copy>
void start(Worker& worker, const Copy& copy, attune_simt_site site) {
  const int self = worker.running();
  const bool issued = worker.tensor_copies().issue(
      copy, worker.shared(), worker.mbarriers(),
      worker.stamp(self, AccessKind::tensor_copy, worker.shared().site_number(site)), worker.random());
  if (!issued) worker.fault(self, site, worker.shared().fault());
  worker.release_waiters();
}

void copy_tensor(attune_simt_thread* thread, long long offset, const TensorMap* map, long long barrier_offset,
                 int panel, int row, int head, int batch, attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  const int self = worker.running();
  const int barrier = copy_barrier_at(worker, barrier_offset, site);
  const PanelTensor* tensor = decode(*map);
  if (!tensor) worker.fault(self, site, "a tensor copy by a map that nobody encoded");
  const bool all = panel < 0;
  if (all != (tensor->copies == PanelCopies::all)) {
    worker.fault(self, site,
                 fmt::format("a tensor copy of {} by a map for {}", all ? "all panels" : "one panel",
                             all ? "single panels" : "all panels"));
  }
  if (panel >= tensor->panels()) {
    worker.fault(self, site,
                 fmt::format("a tensor copy of panel {} of a tensor of {} columns", panel, tensor->columns));
  }
  constexpr int kAlignment = 1024;
  if (offset % kAlignment != 0) {
    worker.fault(
        self, site,
        fmt::format("a tensor copy to shared byte {}: must be a multiple of {}", offset, kAlignment));
  }
  if (row < 0 || head < 0 || head >= tensor->heads || batch < 0 || batch >= tensor->batch) {
    worker.fault(
        self, site,
        fmt::format("a tensor copy from row {} of head {} of sequence {}: the tensor has {} heads and {} "
                    "sequences",
                    row, head, batch, tensor->heads, tensor->batch));
  }
  const auto first = reinterpret_cast<uint64_t>(tensor->data) +
                     2 * static_cast<uint64_t>(head * tensor->head_stride + batch * tensor->batch_stride);
  const int64_t column = all ? 0 : panel * PanelTensor::kPanelColumns;
  const int64_t columns =
      std::min(tensor->box_panels() * PanelTensor::kPanelColumns, tensor->columns - column);
  for (int64_t r = row; r < row + tensor->box_rows && r < tensor->rows; ++r) {
    worker.require_region(first + 2 * static_cast<uint64_t>(r * tensor->row_stride + column),
                          static_cast<int>(2 * columns), false, site);
  }
  start(worker, TensorCopy{*tensor, offset, barrier, all ? 0 : panel, row, head, batch}, site);
}

void copy_bulk(attune_simt_thread* thread, long long offset, unsigned long long source, unsigned bytes,
               long long barrier_offset, attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  const int barrier = copy_barrier_at(worker, barrier_offset, site);
  if (offset % 16 != 0 || source % 16 != 0 || bytes % 16 != 0) {
    worker.fault(
        worker.running(), site,
        fmt::format("a bulk copy of {} bytes from {:#x} to shared byte {}: all must be multiples of 16",
                    bytes, source, offset));
  }
  if (bytes > 0) worker.require_region(source, static_cast<int>(bytes), false, site);
  start(worker, BulkCopy{reinterpret_cast<const void*>(source), offset, barrier, bytes}, site);
}

constexpr attune_simt_api kTable = {
    .block_barrier = block_barrier,
    .warp_barrier = warp_barrier,
    .require_shared_bytes = require_shared_bytes,
    .shared_access = shared_access,
    .global_access = global_access,
    .quad_reduce = quad_reduce,
    .quad_broadcast = quad_broadcast,
    .warp_reduce = warp_reduce,
    .load_matrices = load_matrices,
    .multiply_tiles = multiply_tiles,
    .copy_async16 = copy_async16,
    .copy_async_commit = copy_async_commit,
    .copy_async_wait = copy_async_wait,
    .mbarrier_init = mbarrier_init,
    .mbarrier_init_fence = mbarrier_init_fence,
    .mbarrier_arrive = mbarrier_arrive,
    .mbarrier_expect = mbarrier_expect,
    .mbarrier_wait = mbarrier_wait,
    .copy_tensor = copy_tensor,
    .copy_bulk = copy_bulk,
    .store_matrices = store_matrices,
    .async_proxy_fence = async_proxy_fence,
    .store_tensor = store_tensor,
    .bulk_commit = bulk_commit,
    .bulk_wait_read = bulk_wait_read,
    .warpgroup_barrier = warpgroup_barrier,
    .change_registers = change_registers,
    .multiply_warpgroup = multiply_warpgroup,
    .warpgroup_arrive = warpgroup_arrive,
    .warpgroup_commit = warpgroup_commit,
    .warpgroup_wait = warpgroup_wait,
};

}  // namespace

const attune_simt_api& verb_table() {
  return kTable;
}

}  // namespace attune::simt

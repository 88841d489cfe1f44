// The verbs of isa/simt_api.h: thin, so that each concept stays in its own file.
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
      static_cast<uint32_t>(m) << 16 | static_cast<uint32_t>(n) << 1 | static_cast<uint32_t>(format);
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
};

}  // namespace

const attune_simt_api& verb_table() {
  return kTable;
}

}  // namespace attune::simt

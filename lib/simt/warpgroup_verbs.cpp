#include "simt/warpgroup_verbs.h"

#include "simt/worker.h"

namespace attune::simt {
namespace {

// Stamps of the first and the last lane of each warp: a barrier that the others missed, one of these two
// missed, or it is found when they write.
std::array<Stamp, 8> readers_of(Worker& worker, attune_simt_site site) {
  const int first = worker.running() / kWarpgroupThreads * kWarpgroupThreads;
  const int number = worker.shared().site_number(site);
  std::array<Stamp, 8> readers;
  for (int i = 0; i < 8; ++i) {
    const int thread = first + i / 2 * kWarpLanes + i % 2 * (kWarpLanes - 1);
    readers[static_cast<size_t>(i)] = worker.stamp(thread, AccessKind::product, number);
  }
  return readers;
}

}  // namespace

void warpgroup_barrier(attune_simt_thread* thread, attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  if (!worker.meet_warpgroup(Verb::warpgroup_barrier, {}, {}, site)) return;
  worker.begin_warpgroup_epoch(site);
  worker.end_warpgroup_meeting();
}

void change_registers(attune_simt_thread* thread, int count, int claim, attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  const Verb verb = claim != 0 ? Verb::claim_registers : Verb::release_registers;
  WarpgroupProduct equal{};
  equal.tiles = count;
  if (!worker.meet_warpgroup(verb, equal, {}, site)) return;
  Warpgroups& warpgroups = worker.warpgroups();
  const int group = worker.running() / kWarpgroupThreads;
  const std::string fault = claim != 0 ? warpgroups.claim_registers(group, count, site)
                                       : warpgroups.release_registers(group, count);
  if (!fault.empty()) worker.fault(worker.running(), site, fault);
  worker.meet_claims();
  if (warpgroups.has_claim(group)) {
    worker.wait_for_claim();
  } else {
    worker.end_warpgroup_meeting();
  }
}

void multiply_warpgroup(attune_simt_thread* thread, float* sum, int tiles, const unsigned* fragment,
                        unsigned long long a, unsigned long long b, int transpose_b, int accumulate,
                        attune_simt_format format, attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  const int self = worker.running();
  const WarpgroupProduct product{.tiles = tiles,
                                 .a_in_registers = fragment != nullptr,
                                 .a = a,
                                 .b = b,
                                 .transpose_b = transpose_b != 0,
                                 .accumulate = accumulate != 0,
                                 .format = format,
                                 .group = worker.products().open_group(self)};
  if (!worker.meet_warpgroup(Verb::multiply_warpgroup, product, {sum, fragment}, site)) return;
  const std::string fault = worker.products().multiply(product, worker.warpgroups().meeting_of(self).operands,
                                                       readers_of(worker, site), site, worker.shared());
  if (!fault.empty()) worker.fault(self, site, fault);
  worker.end_warpgroup_meeting();
}

void warpgroup_arrive(attune_simt_thread* thread) {
  Worker& worker = Worker::of(thread);
  worker.products().arrive(worker.running());
}

void warpgroup_commit(attune_simt_thread* thread) {
  Worker& worker = Worker::of(thread);
  worker.products().commit(worker.running());
}

void warpgroup_wait(attune_simt_thread* thread, int pending, attune_simt_site site) {
  Worker& worker = Worker::of(thread);
  const std::string fault = worker.products().wait(worker.running(), pending);
  if (!fault.empty()) worker.fault(worker.running(), site, fault);
}

}  // namespace attune::simt

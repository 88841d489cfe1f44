#include "simt/worker.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "base/error.h"
#include "simt/global_memory.h"

namespace attune::simt {
namespace {

constexpr int kSlice = 2000;                  // switches between looks at the clock: at least 50 us of work
constexpr uint32_t kEpochReserve = 1u << 18;  // barriers every block may have
static_assert(kEpochReserve < Stamp::kLastEpoch);

constexpr const char* kTooManyBarriers = "too many barriers in one block for the race detector";

}  // namespace

Worker::Worker() : attune_simt_thread{} {
  api = &verb_table();
}

void Worker::run(LaunchState& launch) {
  launch_ = &launch;
  report_ = RunReport{};
  faulted_ = false;
  const Launch& what = launch.launch();
  try {
    shared_.reset(what.shared_bytes);
    block_epoch_ = 1;
    for (Warp& warp : warps_)
      warp.epoch = 1;
    region_begin = region_end = 0;
    scheduler_.start(static_cast<int>(what.block), &Worker::run_thread, this, &thread);
    launch.kernel().enter(this);
    for (int64_t next = launch.take_block(); next >= 0; next = launch.take_block()) {
      if (!run_block(next)) break;
    }
    faulted_ ? scheduler_.abandon() : scheduler_.finish();
  } catch (const std::exception& error) {  // out of memory; nothing of a block is running
    scheduler_.abandon();
    launch.report("", error.what());
  }
  report_.highest_shared_byte = shared_.highest_byte();
}

void Worker::run_thread(void* context, int thread) {
  Worker& worker = *static_cast<Worker*>(context);
  std::string what;
  try {
    worker.launch_->kernel().run(worker.launch_->launch().parameters.data());
    worker.check_finished(thread);
    return;
  } catch (const std::exception& error) {
    what = error.what();
  }
  worker.fault(thread, {nullptr, 0}, what);
}

void Worker::check_finished(int of_thread) {
  if (const attune_simt_site* site = products_.unfinished(of_thread))
    fault(of_thread, *site, "the thread ended without a warpgroup_wait that covers this product");
  if (const attune_simt_site* site = tensor_stores_.unfinished(of_thread))
    fault(of_thread, *site, "the thread ended without a bulk_wait_read that covers this tensor store");
}

void Worker::begin_block(int64_t next) {
  block = next;
  if (last_epoch() > Stamp::kLastEpoch - kEpochReserve) {
    shared_.forget_accesses();
    block_epoch_ = 0;
    for (Warp& warp : warps_)
      warp.epoch = 0;
  }
  begin_epoch();  // whatever earlier blocks did is over
  for (Warp& warp : warps_)
    warp.arrived = warp.at_barrier = 0;
  at_barrier_ = 0;
  shared_.begin_block(block_epoch_);
  copies_.begin_block(scheduler_.threads());
  tensor_copies_.begin_block();
  tensor_stores_.begin_block();
  knowledge_.begin_block(scheduler_.threads());
  mbarriers_.begin_block();
  warpgroups_.begin_block(scheduler_.threads(), static_cast<int>(launch_->kernel().blocks));
  products_.begin_block(scheduler_.threads());
  scheduler_.begin_block(launch_->seed_of(next));
}

uint32_t Worker::last_epoch() const {
  uint32_t last = block_epoch_;
  for (const Warp& warp : warps_)
    last = std::max(last, warp.epoch);
  return last;
}

void Worker::begin_epoch() {
  ++block_epoch_;
  for (Warp& warp : warps_)
    begin_epoch_of(warp);
}

void Worker::begin_epoch_of(Warp& warp) {
  ++warp.epoch;
  warp.arrivals.fill(0);
}

void Worker::begin_warp_epoch(attune_simt_site site) {
  const int warp = thread / kWarpLanes;
  begin_epoch_of(warps_[warp]);
  knowledge_.share_in_warp(warp);
  if (warps_[warp].epoch >= Stamp::kLastEpoch) fault(thread, site, kTooManyBarriers);
}

bool Worker::run_block(int64_t next) {
  begin_block(next);
  for (;;) {
    const Scheduler::Stop stop = scheduler_.run(kSlice);
    if (faulted_) return false;
    if (stop == Scheduler::Stop::all_done) break;
    if (stop == Scheduler::Stop::nobody_ready && tensor_copies_.land_all(shared_, mbarriers_)) {
      release_waiters();
      continue;
    }
    if (stop == Scheduler::Stop::nobody_ready) report_deadlock();
    faulted_ = stop == Scheduler::Stop::nobody_ready || launch_->should_stop();
    if (faulted_) return false;
  }
  ++report_.blocks;
  launch_->block_done();
  return !launch_->should_stop();
}

std::string Worker::where(int of_thread, attune_simt_site site) const {
  const std::string line = site.file ? ", " + to_string(site) : "";
  return fmt::format("block {}, thread {} (warp {}, lane {}){}", block, of_thread, of_thread / kWarpLanes,
                     of_thread % kWarpLanes, line);
}

void Worker::fault(int of_thread, attune_simt_site site, const std::string& what) {
  launch_->report(where(of_thread, site), what);
  faulted_ = true;
  scheduler_.leave();
}

ThreadState Worker::state_of(int of_thread) const {
  const Warp& warp = warps_[of_thread / kWarpLanes];
  const uint32_t lane = 1u << (of_thread % kWarpLanes);
  if (scheduler_.done(of_thread)) return {.done = true, .waiting = {}};
  if (const Waiting* waiting = mbarriers_.waiting(of_thread)) return {.done = false, .waiting = *waiting};
  if (const Waiting* waiting = warpgroups_.waiting(of_thread)) return {.done = false, .waiting = *waiting};
  return {.done = false, .waiting = (warp.at_barrier & lane) != 0 ? warp.barrier : warp.meeting};
}

void Worker::report_deadlock() {
  std::vector<ThreadState> threads(static_cast<size_t>(scheduler_.threads()));
  for (size_t i = 0; i < threads.size(); ++i)
    threads[i] = state_of(static_cast<int>(i));
  if (const int claimant = warpgroups_.claimant(); claimant != Warpgroups::kNone) {
    launch_->report(where(claimant, threads[static_cast<size_t>(claimant)].waiting.site),
                    fmt::format("deadlock: {}. Everybody: {}", warpgroups_.describe_claim(),
                                describe_everybody(threads)));
    return;
  }
  // Whoever waits for a copy keeps the others from their barriers.
  const auto at_mbarrier = std::ranges::find_if(threads, [](const ThreadState& state) {
    return !state.done && state.waiting.verb == Verb::mbarrier_wait;
  });
  int first = static_cast<int>(at_mbarrier - threads.begin());
  const std::string what = at_mbarrier == threads.end()
                               ? describe_deadlock(threads, first)
                               : fmt::format("deadlock: {}. Everybody: {}",
                                             mbarriers_.describe_missing(first), describe_everybody(threads));
  launch_->report(where(first, threads[first].waiting.site), what);
}

void Worker::check_global(uint64_t address, int bytes, bool write, attune_simt_site site) {
  const Launch& what = launch_->launch();
  const std::span<const MemoryRegion> regions(what.regions.data(), what.region_count);
  const MemoryRegion* region = find_region(regions, address, bytes);
  if (!region || address % static_cast<uint64_t>(bytes) != 0) {
    fault(thread, site, describe_global_fault(regions, address, bytes, write));
  }
  region_begin = reinterpret_cast<uint64_t>(region->base);
  region_end = region_begin + region->bytes;
}

void Worker::require_region(uint64_t address, int bytes, bool write, attune_simt_site site) {
  const Launch& what = launch_->launch();
  const std::span<const MemoryRegion> regions(what.regions.data(), what.region_count);
  if (!find_region(regions, address, bytes))
    fault(thread, site, describe_global_fault(regions, address, bytes, write));
}

int Worker::mbarrier_at(int64_t offset, attune_simt_site site) {
  shared_access(thread, offset, 8, false, AccessKind::plain, site);  // its initialisation must be visible
  const int barrier = mbarriers_.find(offset);
  if (barrier == MBarriers::kNone)
    fault(thread, site, fmt::format("no mbarrier was initialised at shared byte {}", offset));
  return barrier;
}

void Worker::mbarrier_arrive(int barrier, uint32_t bytes, attune_simt_site site) {
  const std::string what = mbarriers_.arrive(barrier, bytes, stamp(thread, AccessKind::plain, 0));
  if (!what.empty()) fault(thread, site, what);
  advance_clock();
  release_waiters();
}

// What the thread does next has a later stamp than what it did.
void Worker::advance_clock() {
  uint8_t& arrivals = warps_[thread / kWarpLanes].arrivals[thread % kWarpLanes];
  if (arrivals < Stamp::kMaxArrivals) ++arrivals;
}

void Worker::async_proxy_fence() {
  shared_.fence_proxy(stamp(thread, AccessKind::plain, 0));
  advance_clock();
}

void Worker::mbarrier_wait(int barrier, uint32_t parity, attune_simt_site site) {
  if (!mbarriers_.is_complete(barrier, parity)) {
    tensor_copies_.land(barrier, shared_, mbarriers_);
    release_waiters();
  }
  while (!mbarriers_.is_complete(barrier, parity)) {
    mbarriers_.wait(thread, barrier, site);
    scheduler_.park();
  }
  if (const std::string reason = mbarriers_.observe(thread, barrier); !reason.empty())
    fault(thread, site, reason);
}

void Worker::release_waiters() {
  for (const int waiter : mbarriers_.take_released())
    scheduler_.release(waiter / kWarpLanes, 1u << (waiter % kWarpLanes));
}

void Worker::require_shared_bytes(uint32_t bytes, attune_simt_site site) {
  const uint32_t launched = launch_->launch().shared_bytes;
  if (bytes == launched) return;
  fault(thread, site,
        fmt::format("the kernel's layout needs exactly {} bytes of dynamic shared memory, launched with {}",
                    bytes, launched));
}

void Worker::diverged(const Waiting& first, uint32_t first_lanes, const Waiting& mine) {
  fault(thread, mine.site,
        fmt::format("divergence within a warp: this lane calls {}, while lane {} waits in {} ({}){}",
                    name_of(mine.verb), std::countr_zero(first_lanes), name_of(first.verb),
                    to_string(first.site), first == mine ? " with other sizes" : ""));
}

void Worker::block_barrier(attune_simt_site site) {
  Warp& warp = warps_[thread / kWarpLanes];
  const Waiting mine{Verb::block_barrier, site};
  if (warp.at_barrier == 0) {
    warp.barrier = mine;
  } else if (!(warp.barrier == mine)) {
    diverged(warp.barrier, warp.at_barrier, mine);
  }
  warp.at_barrier |= 1u << (thread % kWarpLanes);
  if (++at_barrier_ < scheduler_.threads()) return scheduler_.park();

  at_barrier_ = 0;
  ++report_.barriers;
  begin_epoch();
  knowledge_.share_in_block();
  if (last_epoch() >= Stamp::kLastEpoch) fault(thread, site, kTooManyBarriers);
  for (int i = 0; i < scheduler_.threads() / kWarpLanes; ++i) {
    warps_[i].at_barrier = 0;
    const uint32_t running_lane = i == thread / kWarpLanes ? 1u << (thread % kWarpLanes) : 0;
    scheduler_.release(i, kAllLanes & ~running_lane);
  }
  scheduler_.yield();
}

}  // namespace attune::simt

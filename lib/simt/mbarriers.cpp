#include "simt/mbarriers.h"

#include <fmt/format.h>

#include <algorithm>

namespace attune::simt {
namespace {

constexpr uint32_t kMaxArrivals = (1u << 20) - 1;  // as on a GPU

}  // namespace

void MBarriers::begin_block() {
  barriers_.clear();
  waiters_.clear();
}

std::string MBarriers::init(int64_t offset, uint32_t arrivals) {
  if (find(offset) != kNone)
    return fmt::format("the mbarrier at shared byte {} is initialised twice", offset);
  if (barriers_.size() == Knowledge::kMaxBarriers) {
    return fmt::format("more than {} mbarriers in a block", Knowledge::kMaxBarriers);
  }
  if (arrivals == 0 || arrivals > kMaxArrivals) {
    return fmt::format("the mbarrier at shared byte {} is to take {} arrivals: 1 to {} are possible", offset,
                       arrivals, kMaxArrivals);
  }
  barriers_.push_back({.offset = offset,
                       .arrivals = arrivals,
                       .coming = knowledge_.empty_row(),
                       .released = knowledge_.empty_row()});
  return {};
}

void MBarriers::fence() {
  for (Barrier& barrier : barriers_)
    barrier.fenced = true;
}

int MBarriers::find(int64_t offset) const {
  const auto found = std::ranges::find(barriers_, offset, &Barrier::offset);
  return found == barriers_.end() ? kNone : static_cast<int>(found - barriers_.begin());
}

std::string MBarriers::arrive(int index, uint32_t bytes, Stamp me) {
  Barrier& barrier = barriers_[index];
  if (barrier.arrived == barrier.arrivals) {
    return fmt::format("arrival {} in one phase of the mbarrier at shared byte {}, which takes {}",
                       barrier.arrived + 1, barrier.offset, barrier.arrivals);
  }
  ++barrier.arrived;
  barrier.missing_bytes += bytes;
  knowledge_.release(barrier.coming, me);
  complete_if_due(barrier);
  return {};
}

void MBarriers::bring(int barrier, int64_t bytes) {
  barriers_[barrier].missing_bytes -= bytes;
  complete_if_due(barriers_[barrier]);
}

void MBarriers::complete_if_due(Barrier& barrier) {
  if (barrier.arrived < barrier.arrivals || barrier.missing_bytes != 0) return;
  barrier.arrived = 0;
  ++barrier.completed;
  barrier.released = barrier.coming;
}

std::string MBarriers::observe(int thread, int barrier) {
  const uint32_t phases = completed(barrier);
  if (phases == 0) return {};  // the phase before the first: nobody arrived
  if (phases > 1 && !knowledge_.has_seen_phase(thread, barrier, phases - 2)) {
    return fmt::format(
        "phase {} of the mbarrier at shared byte {} is awaited by a thread that does not know of "
        "phase {}: before that one completed, the parity of the one before it would have let the "
        "thread go",
        phases - 1, barriers_[barrier].offset, phases - 2);
  }
  knowledge_.acquire(thread, barriers_[barrier].released);
  knowledge_.observe_phases(thread, barrier, phases);
  return {};
}

void MBarriers::wait(int thread, int barrier, attune_simt_site site) {
  waiters_.push_back({thread, barrier, completed(barrier), {Verb::mbarrier_wait, site}});
}

std::vector<int> MBarriers::take_released() {
  std::vector<int> released;
  std::erase_if(waiters_, [&](const Waiter& waiter) {
    if (completed(waiter.barrier) == waiter.phase) return false;
    released.push_back(waiter.thread);
    return true;
  });
  return released;
}

const MBarriers::Waiter* MBarriers::waiter(int thread) const {
  const auto found = std::ranges::find(waiters_, thread, &Waiter::thread);
  return found == waiters_.end() ? nullptr : &*found;
}

const Waiting* MBarriers::waiting(int thread) const {
  const Waiter* found = waiter(thread);
  return found ? &found->where : nullptr;
}

std::string MBarriers::describe_missing(int thread) const {
  const Barrier& barrier = barriers_[waiter(thread)->barrier];
  const std::string arrivals = barrier.arrivals > 1
                                   ? fmt::format("{} of {} arrivals came", barrier.arrived, barrier.arrivals)
                               : barrier.arrived == 1 ? "its arrival came"
                                                      : "no arrival";
  return fmt::format("phase {} of the mbarrier at shared byte {} never completes: {}, {} bytes are missing",
                     barrier.completed, barrier.offset, arrivals, barrier.missing_bytes);
}

}  // namespace attune::simt

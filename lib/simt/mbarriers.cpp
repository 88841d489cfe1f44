#include "simt/mbarriers.h"

#include <fmt/format.h>

#include <algorithm>

namespace attune::simt {

void MBarriers::begin_block(int threads) {
  barriers_.clear();
  waiters_.clear();
  phases_.begin_block(threads);
}

std::string MBarriers::init(int64_t offset) {
  if (find(offset) != kNone)
    return fmt::format("the mbarrier at shared byte {} is initialised twice", offset);
  if (barriers_.size() == PhaseLog::kMaxBarriers) {
    return fmt::format("more than {} mbarriers in a block", PhaseLog::kMaxBarriers);
  }
  barriers_.push_back({.offset = offset});
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

std::string MBarriers::expect(int index, uint32_t bytes) {
  Barrier& barrier = barriers_[index];
  if (barrier.arrived) {
    return fmt::format("a second arrival in one phase of the mbarrier at shared byte {}, which takes one",
                       barrier.offset);
  }
  barrier.arrived = true;
  barrier.missing_bytes += bytes;
  complete_if_due(barrier);
  return {};
}

void MBarriers::arrive(int barrier, int64_t bytes) {
  barriers_[barrier].missing_bytes -= bytes;
  complete_if_due(barriers_[barrier]);
}

void MBarriers::complete_if_due(Barrier& barrier) {
  if (!barrier.arrived || barrier.missing_bytes != 0) return;
  barrier.arrived = false;
  ++barrier.completed;
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
  return fmt::format("phase {} of the mbarrier at shared byte {} never completes: {}, {} bytes are missing",
                     barrier.completed, barrier.offset, barrier.arrived ? "its arrival came" : "no arrival",
                     barrier.missing_bytes);
}

}  // namespace attune::simt

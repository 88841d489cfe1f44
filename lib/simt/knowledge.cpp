#include "simt/knowledge.h"

#include <algorithm>

namespace attune::simt {
namespace {

constexpr int kWarpLanes = 32;
constexpr int kWarpgroupThreads = 128;

void take_larger(uint32_t* row, const uint32_t* other, size_t count) {
  for (size_t i = 0; i < count; ++i)
    row[i] = std::max(row[i], other[i]);
}

}  // namespace

size_t Knowledge::stride() const {
  return static_cast<size_t>(threads_ + kMaxBarriers + threads_ / kWarpLanes);
}

void Knowledge::begin_block(int threads) {
  if (threads == threads_ && !used_) return;
  threads_ = threads;
  stride_ = stride();
  used_ = false;
  rows_.assign(static_cast<size_t>(threads) * stride_, 0);
  news_.assign(static_cast<size_t>(threads / kWarpLanes), 0);
}

void Knowledge::learned(int thread) {
  used_ = true;
  news_[static_cast<size_t>(thread / kWarpLanes)] = 1;
}

void Knowledge::observe_phases(int thread, int barrier, uint32_t completed) {
  uint32_t& seen = rows_[phase_at(thread, barrier)];
  seen = std::max(seen, completed);
  learned(thread);
}

void Knowledge::observe_products(int thread, int warp, uint32_t last) {
  uint32_t& seen = rows_[product_at(thread, warp)];
  seen = std::max(seen, last);
  learned(thread);
}

void Knowledge::release(Row& row, Stamp me) {
  take_larger(row.data(), &rows_[at(me.thread())], stride_);
  uint32_t* warp = &row[static_cast<size_t>(me.warp() * kWarpLanes)];
  for (int lane = 0; lane < kWarpLanes; ++lane)
    warp[lane] = std::max(warp[lane], Stamp::first_clock(me.warp_epoch()));
  uint32_t& own = row[static_cast<size_t>(me.thread())];
  own = std::max(own, me.clock() + 1);
}

void Knowledge::acquire(int thread, const Row& row) {
  take_larger(&rows_[at(thread)], row.data(), stride_);
  learned(thread);
}

// The rest of the rows from `from` on.
void Knowledge::collect(int first, int count, size_t from) {
  all_.assign(stride_, 0);
  for (int thread = first; thread < first + count; ++thread)
    take_larger(&all_[from], &rows_[at(thread) + from], stride_ - from);
}

void Knowledge::spread(int first, int count, size_t from) {
  for (int thread = first; thread < first + count; ++thread)
    std::copy(all_.begin() + static_cast<std::ptrdiff_t>(from), all_.end(),
              rows_.begin() + static_cast<std::ptrdiff_t>(at(thread) + from));
  std::fill_n(news_.begin() + first / kWarpLanes, count / kWarpLanes, uint8_t{0});
}

void Knowledge::share_in_block() {
  if (!used_) return;
  const auto clocks = static_cast<size_t>(threads_);
  collect(0, threads_, clocks);
  // What a warp knew of other threads' clocks is in no later doubt: the barrier's epoch orders all of it.
  spread(0, threads_, clocks);
}

void Knowledge::share_in_warp(int warp) {
  if (!used_ || news_[static_cast<size_t>(warp)] == 0) return;
  collect(warp * kWarpLanes, kWarpLanes, 0);
  spread(warp * kWarpLanes, kWarpLanes, 0);
}

void Knowledge::share_in_warpgroup(int warpgroup, const uint32_t (&epochs)[4]) {
  used_ = true;
  const int first = warpgroup * kWarpgroupThreads;
  collect(first, kWarpgroupThreads, 0);
  for (int i = 0; i < kWarpgroupThreads; ++i) {
    uint32_t& clock = all_[static_cast<size_t>(first + i)];
    clock = std::max(clock, Stamp::first_clock(epochs[i / kWarpLanes] + 1));
  }
  spread(first, kWarpgroupThreads, 0);
}

}  // namespace attune::simt

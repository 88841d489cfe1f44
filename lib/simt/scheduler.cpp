#include "simt/scheduler.h"

namespace attune::simt {

void Scheduler::start(int threads, Body body, void* context, int* running) {
  body_ = body;
  context_ = context;
  running_ = running;
  threads_ = threads;
  ending_ = unwinding_ = false;
  *running_ = kMain;
  contexts_.clear();
  contexts_.reserve(static_cast<size_t>(threads) + 1);
  contexts_.emplace_back();
  sanitizer_.clear();
  for (int thread = 0; thread < threads; ++thread) {
    const boost::context::stack_context stack = stacks_.take();
    sanitizer_.add(stack);
    contexts_.emplace_back(std::allocator_arg, boost::context::preallocated(stack.sp, stack.size, stack),
                           StackPool::Allocator(stacks_), [this, thread](boost::context::fiber&& owner) {
                             return run_fiber(std::move(owner), thread);
                           });
  }
}

// A fiber outlives its block: making one costs more than a switch.
boost::context::fiber Scheduler::run_fiber(boost::context::fiber&& resumer, int thread) {
  sanitizer_.arrive_first(previous_);
  slot(previous_) = std::move(resumer);
  try {
    while (!ending_) {
      body_(context_, thread);
      done_[thread / kWarpLanes] |= 1u << (thread % kWarpLanes);
      ++done_count_;
      park();
    }
  } catch (const Unwind&) {
  }
  sanitizer_.leave_for_good(kMain);
  return std::move(slot(kMain));
}

void Scheduler::end_fibers() {
  ending_ = true;
  for (size_t i = 1; i < contexts_.size(); ++i)
    resume(kMain, static_cast<int>(i) - 1);
  contexts_.clear();
}

void Scheduler::finish() {
  end_fibers();
}

void Scheduler::abandon() {
  unwinding_ = true;
  end_fibers();
}

void Scheduler::begin_block(uint64_t seed) {
  random_ = Random(seed);
  done_count_ = 0;
  const int warps = threads_ / kWarpLanes;
  ready_warps_ = warps == kMaxWarps ? kAllLanes : (1u << warps) - 1;
  for (int warp = 0; warp < warps; ++warp) {
    ready_[warp] = kAllLanes;
    done_[warp] = 0;
  }
  *running_ = kMain;
}

Scheduler::Stop Scheduler::run(int switches) {
  budget_ = switches;
  const int next = choose();
  if (next != kMain) switch_to(next);
  if (done_count_ == threads_) return Stop::all_done;
  return ready_warps_ != 0 ? Stop::interrupted : Stop::nobody_ready;
}

void Scheduler::leave() {
  for (;;)
    switch_to(kMain);
}

void Scheduler::yield() {
  if (ready_warps_ == 0) return;
  release(*running_ / kWarpLanes, 1u << (*running_ % kWarpLanes));
  switch_to(take_lane_of(random_bit(ready_warps_)));
}

}  // namespace attune::simt

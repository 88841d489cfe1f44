// Scheduler: the threads of one block as fibers of one OS thread, in an order that a seed decides.
//
// A warp runs until none of its lanes can go on, its lanes in random order; then any other warp that can.
// Which lane or warp is next never depends on anything but the seed and what the threads did.
#pragma once

#include <array>
#include <bit>
#include <boost/context/fiber.hpp>
#include <cstdint>
#include <utility>
#include <vector>

#include "simt/fiber_sanitizer.h"
#include "simt/random.h"
#include "simt/stack_pool.h"

namespace attune::simt {

constexpr int kWarpLanes = 32;
constexpr int kMaxWarps = 32;
constexpr uint32_t kAllLanes = 0xffffffffu;

class Scheduler {
 public:
  // What each thread runs; `context` is the owner's, `thread` its index in the block.
  using Body = void (*)(void* context, int thread);

  explicit Scheduler(StackPool& stacks) : stacks_(stacks) {}
  ~Scheduler() { abandon(); }
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Makes the fibers for blocks of `threads` threads (whole warps). `running` is where the owner wants to
  // read who runs.
  void start(int threads, Body body, void* context, int* running);
  // Lets every fiber end. Only between blocks.
  void finish();
  // Unwinds all fibers wherever they are, after a fault.
  void abandon();

  enum class Stop { all_done, nobody_ready, interrupted };
  // All threads begin a block anew / go on until none can or until the slice is over (for a look at the
  // clock).
  void begin_block(uint64_t seed);
  Stop run(int switches);

  // For the running thread: waits until released. Returns when it has been.
  void park() { switch_to(choose()); }
  // Leaves the block for good, after a fault: only abandon() ends this fiber.
  [[noreturn]] void leave();
  // Lets lanes of a warp go on.
  void release(int warp, uint32_t lanes) {
    ready_[warp] |= lanes;
    if (ready_[warp] != 0) ready_warps_ |= 1u << warp;
  }
  // Lets any other lane that can go on run first, of any warp.
  void yield();
  // Now and then, for where one warp has just met: switching always would cost too much.
  void maybe_yield() {
    if (random_.bits(4) == 0) yield();
  }

  int running() const { return *running_; }
  int threads() const { return threads_; }
  bool done(int thread) const { return (done_[thread / kWarpLanes] >> (thread % kWarpLanes)) & 1; }
  Random& random() { return random_; }

 private:
  static constexpr int kMain = -1;
  // Thrown through a fiber that is to end wherever it is. Templates catch nothing, and the verbs only
  // std::exception.
  struct Unwind {};

  // A random set bit: not each with the same probability, but each with some.
  int random_bit(uint32_t mask) {
    const int start = static_cast<int>(random_.bits(5));
    return (std::countr_zero(std::rotr(mask, start)) + start) % 32;
  }
  int choose() {
    if (ready_warps_ == 0 || --budget_ < 0) return kMain;
    const int warp = *running_ / kWarpLanes;
    const bool stay = *running_ != kMain && ready_[warp] != 0;  // its stacks are in the cache
    return take_lane_of(stay ? warp : random_bit(ready_warps_));
  }
  int take_lane_of(int warp) {
    const int lane = random_bit(ready_[warp]);
    ready_[warp] &= ~(1u << lane);
    if (ready_[warp] == 0) ready_warps_ &= ~(1u << warp);
    return warp * kWarpLanes + lane;
  }
  void switch_to(int thread) {
    const int self = *running_;
    if (thread == self) return;
    resume(self, thread);
    if (unwinding_ && self != kMain) throw Unwind();
  }
  void resume(int self, int thread) {
    previous_ = self;
    *running_ = thread;
    void* frames = sanitizer_.leave(thread);
    boost::context::fiber resumer = std::move(slot(thread)).resume();
    FiberSanitizer::arrive(frames);
    // Running again, by the hand of whoever switched here: keep its handle where it will be looked for.
    slot(previous_) = std::move(resumer);
  }
  void end_fibers();
  // Index -1 is the owner's own context.
  boost::context::fiber& slot(int thread) { return contexts_[thread + 1]; }
  boost::context::fiber run_fiber(boost::context::fiber&& resumer, int thread);

  StackPool& stacks_;
  Body body_ = nullptr;
  void* context_ = nullptr;
  int* running_ = nullptr;
  int threads_ = 0;
  bool ending_ = false;     // idle fibers are to end
  bool unwinding_ = false;  // all fibers are to end, wherever they wait
  int done_count_ = 0;
  int budget_ = 0;        // switches left in this slice
  int previous_ = kMain;  // who switched to the running fiber
  uint32_t ready_warps_ = 0;
  std::array<uint32_t, kMaxWarps> ready_{};  // lanes that can go on
  std::array<uint32_t, kMaxWarps> done_{};   // lanes that ended
  Random random_{0};
  std::vector<boost::context::fiber> contexts_;  // the owner's, then each thread's
  FiberSanitizer sanitizer_;
};

}  // namespace attune::simt

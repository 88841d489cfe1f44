// Worker: one OS thread of the emulator and all it needs to run blocks, one after the other.
//
// It is the attune_simt_thread that templates see; the verbs (verbs.cpp) get it back from there.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "isa/simt_api.h"
#include "simt/async_copies.h"
#include "simt/collectives.h"
#include "simt/knowledge.h"
#include "simt/launch_state.h"
#include "simt/mbarriers.h"
#include "simt/mma.h"
#include "simt/run_report.h"
#include "simt/scheduler.h"
#include "simt/shared_memory.h"
#include "simt/stack_pool.h"
#include "simt/tensor_copies.h"
#include "simt/tensor_stores.h"
#include "simt/waiting.h"
#include "simt/warpgroup_products.h"
#include "simt/warpgroups.h"

namespace attune::simt {

class Worker : private attune_simt_thread {
 public:
  Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  static Worker& of(attune_simt_thread* thread) { return *static_cast<Worker*>(thread); }

  // Runs blocks until there are none left or the launch stops. Faults go to `launch`.
  void run(LaunchState& launch);
  const RunReport& report() const { return report_; }

  // ---- For the verbs, on the running thread ----
  int running() const { return thread; }
  // Ends the launch with a report about a thread of this block.
  [[noreturn]] void fault(int of_thread, attune_simt_site site, const std::string& what);
  Stamp stamp(int of_thread, AccessKind kind, int site_number) const {
    const Warp& warp = warps_[of_thread / kWarpLanes];
    return Stamp(of_thread, kind, site_number, block_epoch_, warp.epoch,
                 warp.arrivals[of_thread % kWarpLanes]);
  }
  unsigned char* shared_access(int of_thread, int64_t offset, int bytes, bool write, AccessKind kind,
                               attune_simt_site site) {
    unsigned char* place =
        shared_.access(offset, bytes, write, stamp(of_thread, kind, shared_.site_number(site)));
    if (!place) fault(of_thread, site, shared_.fault());
    return place;
  }
  void check_global(uint64_t address, int bytes, bool write, attune_simt_site site);
  void require_shared_bytes(uint32_t bytes, attune_simt_site site);
  // Faults unless the bytes lie within one of the launch's tensors.
  void require_region(uint64_t address, int bytes, bool write, attune_simt_site site);

  void block_barrier(attune_simt_site site);
  // One lane's part in a collective verb; `shape` tells apart what must be equal in all lanes, such as tile
  // counts. True in the lane that came last: it does the work on lanes() and then calls end_rendezvous().
  bool rendezvous(Verb verb, uint32_t shape, const LaneCall& call, attune_simt_site site) {
    Warp& warp = warps_[thread / kWarpLanes];
    const Waiting mine{verb, site};
    if (warp.arrived == 0) {
      warp.meeting = mine;
      warp.shape = shape;
    } else if (!(warp.meeting == mine) || warp.shape != shape) {
      diverged(warp.meeting, warp.arrived, mine);
    }
    warp.calls[thread % kWarpLanes] = call;
    warp.arrived |= 1u << (thread % kWarpLanes);
    if (warp.arrived == kAllLanes) return true;
    scheduler_.park();
    return false;
  }
  void end_rendezvous() {
    const int warp = thread / kWarpLanes;
    warps_[warp].arrived = 0;
    ++report_.rendezvous;
    scheduler_.release(warp, kAllLanes & ~(1u << (thread % kWarpLanes)));
    scheduler_.maybe_yield();
  }
  const LaneCalls& lanes() const { return warps_[thread / kWarpLanes].calls; }
  void begin_warp_epoch(attune_simt_site site);

  // One thread's part in a collective verb of its warpgroup, as rendezvous() and end_rendezvous().
  bool meet_warpgroup(Verb verb, const WarpgroupProduct& product, const WarpgroupOperands& operands,
                      attune_simt_site site);
  void end_warpgroup_meeting();
  void begin_warpgroup_epoch(attune_simt_site site);
  // Lets warpgroups go on whose claims of registers can be met, and has the running thread's wait for its
  // own.
  void meet_claims();
  void wait_for_claim();

  // The initialised mbarrier at a byte of shared memory; a fault when there is none.
  int mbarrier_at(int64_t offset, attune_simt_site site);
  void mbarrier_arrive(int barrier, uint32_t bytes, attune_simt_site site);
  void mbarrier_wait(int barrier, uint32_t parity, attune_simt_site site);
  // Lets those go on whose phase is complete.
  void release_waiters();

  void async_proxy_fence();

  MBarriers& mbarriers() { return mbarriers_; }
  TensorCopies& tensor_copies() { return tensor_copies_; }
  TensorStores& tensor_stores() { return tensor_stores_; }
  SharedMemory& shared() { return shared_; }
  Warpgroups& warpgroups() { return warpgroups_; }
  WarpgroupProducts& products() { return products_; }
  AsyncCopies& copies() { return copies_; }
  TileMultiplier& multiplier() { return multiplier_; }
  Random& random() { return scheduler_.random(); }

 private:
  struct Warp {
    uint32_t epoch = 1;                          // counts barriers of the warp and of more
    std::array<uint8_t, kWarpLanes> arrivals{};  // of each lane at mbarriers, and its fences, in this epoch
    uint32_t arrived = 0;                        // lanes that wait in the collective verb
    uint32_t shape = 0;
    uint32_t at_barrier = 0;  // lanes that wait in the block barrier
    Waiting meeting;          // the verb and where its first lane called it
    Waiting barrier;
    LaneCalls calls;
  };

  static void run_thread(void* context, int thread);
  bool run_block(int64_t block);
  void begin_block(int64_t block);
  void check_finished(int of_thread);
  uint32_t last_epoch() const;
  void begin_epoch_of(Warp& warp);
  void advance_clock();
  void begin_epoch();
  [[noreturn]] void diverged(const Waiting& first, uint32_t first_lanes, const Waiting& mine);
  void release_warpgroup(int warpgroup);
  ThreadState state_of(int of_thread) const;
  std::string where(int of_thread, attune_simt_site site) const;
  void report_deadlock();

  StackPool stacks_;
  Scheduler scheduler_{stacks_};
  Knowledge knowledge_;
  MBarriers mbarriers_{knowledge_};
  SharedMemory shared_{knowledge_};
  AsyncCopies copies_;
  TensorCopies tensor_copies_;
  TensorStores tensor_stores_;
  TileMultiplier multiplier_;
  Warpgroups warpgroups_;
  WarpgroupProducts products_{knowledge_};
  LaunchState* launch_ = nullptr;
  RunReport report_;
  bool faulted_ = false;
  uint32_t block_epoch_ = 1;  // counts block barriers, over blocks
  int at_barrier_ = 0;        // threads of the block
  std::array<Warp, kMaxWarps> warps_;
};

// The function table that templates are given.
const attune_simt_api& verb_table();

}  // namespace attune::simt

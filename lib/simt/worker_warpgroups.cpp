// Worker: the part that concerns warpgroups.
#include <fmt/format.h>

#include "simt/worker.h"

namespace attune::simt {

bool Worker::meet_warpgroup(Verb verb, const WarpgroupProduct& product, const WarpgroupOperands& operands,
                            attune_simt_site site) {
  if (scheduler_.threads() % kWarpgroupThreads != 0) {
    fault(thread, site,
          fmt::format("{} in a block of {} threads: must be whole warpgroups of {}", name_of(verb),
                      scheduler_.threads(), kWarpgroupThreads));
  }
  WarpgroupMeeting& meeting = warpgroups_.meeting_of(thread);
  const Waiting mine{verb, site};
  if (meeting.count == 0) {
    meeting.where = mine;
    meeting.product = product;
    meeting.first = thread;
  } else if (!(meeting.where == mine) || !(meeting.product == product)) {
    fault(
        thread, site,
        fmt::format("divergence within a warpgroup: this thread calls {}, while thread {} waits in {} ({}){}",
                    name_of(verb), meeting.first, name_of(meeting.where.verb), to_string(meeting.where.site),
                    meeting.where == mine ? " with other sizes, descriptors or groups" : ""));
  }
  meeting.operands[static_cast<size_t>(thread % kWarpgroupThreads)] = operands;
  meeting.arrived[static_cast<size_t>(thread / kWarpLanes % 4)] |= 1u << (thread % kWarpLanes);
  if (++meeting.count == kWarpgroupThreads) return true;
  scheduler_.park();
  return false;
}

// All but the running thread.
void Worker::release_warpgroup(int warpgroup) {
  for (int warp = 4 * warpgroup; warp < 4 * warpgroup + 4; ++warp) {
    const uint32_t running_lane = warp == thread / kWarpLanes ? 1u << (thread % kWarpLanes) : 0;
    scheduler_.release(warp, kAllLanes & ~running_lane);
  }
}

void Worker::end_warpgroup_meeting() {
  WarpgroupMeeting& meeting = warpgroups_.meeting_of(thread);
  meeting.count = 0;
  meeting.arrived.fill(0);
  ++report_.rendezvous;
  release_warpgroup(thread / kWarpgroupThreads);
  scheduler_.maybe_yield();
}

void Worker::begin_warpgroup_epoch(attune_simt_site site) {
  const int warpgroup = thread / kWarpgroupThreads;
  uint32_t epochs[4];
  for (int i = 0; i < 4; ++i) {
    Warp& warp = warps_[4 * warpgroup + i];
    epochs[i] = warp.epoch;
    begin_epoch_of(warp);
    if (warp.epoch >= Stamp::kLastEpoch)
      fault(thread, site, "too many barriers in one block for the race detector");
  }
  knowledge_.share_in_warpgroup(warpgroup, epochs);
}

void Worker::meet_claims() {
  const int own = thread / kWarpgroupThreads;
  for (int met = warpgroups_.meet_claim(); met != Warpgroups::kNone; met = warpgroups_.meet_claim()) {
    if (met != own) release_warpgroup(met);
  }
}

// The others of the warpgroup are parked in the meeting, which is over; who meets the claim releases all.
void Worker::wait_for_claim() {
  WarpgroupMeeting& meeting = warpgroups_.meeting_of(thread);
  meeting.count = 0;
  meeting.arrived.fill(0);
  scheduler_.park();
}

}  // namespace attune::simt

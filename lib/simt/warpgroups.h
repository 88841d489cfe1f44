// Warpgroups: where the threads of the block's warpgroups meet, and the registers that these have.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "simt/scheduler.h"
#include "simt/waiting.h"
#include "simt/warpgroup_products.h"

namespace attune::simt {

// Threads of one warpgroup that wait for its others in a collective verb.
struct WarpgroupMeeting {
  std::array<uint32_t, 4> arrived{};  // lanes by warp
  int count = 0;
  int first = 0;  // thread that came first
  Waiting where;
  WarpgroupProduct product{};  // of multiply_warpgroup
  std::array<WarpgroupOperands, kWarpgroupThreads> operands;

  bool has(int thread) const { return (arrived[thread / kWarpLanes % 4] >> (thread % kWarpLanes) & 1) != 0; }
};

class Warpgroups {
 public:
  static constexpr int kNone = -1;

  // `blocks`: so many share the registers of a multiprocessor.
  void begin_block(int threads, int blocks);

  WarpgroupMeeting& meeting_of(int thread) {
    return meetings_[static_cast<size_t>(thread / kWarpgroupThreads)];
  }
  // The verb in which a thread waits for the others, or for registers; nullptr: none.
  const Waiting* waiting(int thread) const;

  // Changes of the registers that each thread of a warpgroup has. The fault as text; empty: none.
  std::string release_registers(int warpgroup, int count);
  // Not enough are free yet where has_claim() then holds: the warpgroup waits.
  std::string claim_registers(int warpgroup, int count, attune_simt_site site);
  bool has_claim(int warpgroup) const { return registers_[static_cast<size_t>(warpgroup)].claim != 0; }
  // A warpgroup whose claim can be met now, and is; kNone: there is none.
  int meet_claim();
  // Who waits for registers in vain: a thread; kNone: nobody. And why.
  int claimant() const;
  std::string describe_claim() const;

 private:
  struct Registers {
    int count = 0;  // of each thread
    int claim = 0;  // waited for; 0: none
    Waiting where;
  };

  bool fits(const Registers& registers) const;
  std::string check(int count, bool fewer, int now) const;

  std::vector<WarpgroupMeeting> meetings_;
  std::vector<Registers> registers_;
  int pool_ = 0;  // registers of the block
};

}  // namespace attune::simt

// Who waits where: the state of a block's threads, and its description when nobody can go on.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "isa/simt_api.h"

namespace attune::simt {

enum class Verb : uint8_t {
  none,
  block_barrier,
  warp_barrier,
  quad_maximum,
  quad_sum,
  quad_broadcast,
  warp_maximum,
  warp_sum,
  load_matrices,
  store_matrices,
  multiply_tiles,
  mbarrier_wait,
  warpgroup_barrier,
  multiply_warpgroup,
  release_registers,
  claim_registers
};

std::string_view name_of(Verb verb);

// "row_softmax.cuh:36".
std::string to_string(attune_simt_site site);

struct Waiting {
  Verb verb = Verb::none;
  attune_simt_site site{nullptr, 0};

  bool operator==(const Waiting& other) const { return verb == other.verb && site.line == other.site.line; }
};

struct ThreadState {
  bool done = false;
  Waiting waiting;  // when not done
};

// What is incomplete, who is missing there, and where everybody is: "block_barrier (row_softmax.cuh:36) was
// reached by 32 of 128 threads; ...". `first_waiting` becomes the first thread that waits.
std::string describe_deadlock(std::span<const ThreadState> threads, int& first_waiting);
// "threads 0-3 ended; threads 4-31 in warp_sum (...)".
std::string describe_everybody(std::span<const ThreadState> threads);

}  // namespace attune::simt

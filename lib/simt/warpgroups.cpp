#include "simt/warpgroups.h"

#include <fmt/format.h>

#include <algorithm>

namespace attune::simt {
namespace {

constexpr int kRegisters = 65536;  // of a multiprocessor
constexpr int kMostAtLaunch = 248;

}  // namespace

void Warpgroups::begin_block(int threads, int blocks) {
  // A block has what its threads were launched with, in eights; the rest of a multiprocessor's is nobody's.
  const int at_launch = std::min(kRegisters / blocks / threads / 8 * 8, kMostAtLaunch);
  pool_ = at_launch * threads;
  const auto count = static_cast<size_t>(threads / kWarpgroupThreads);
  meetings_.resize(count);
  for (WarpgroupMeeting& meeting : meetings_) {
    meeting.arrived.fill(0);
    meeting.count = 0;
  }
  registers_.assign(count, Registers{.count = at_launch, .claim = 0, .where = {}});
}

const Waiting* Warpgroups::waiting(int thread) const {
  const auto group = static_cast<size_t>(thread / kWarpgroupThreads);
  if (group >= meetings_.size()) return nullptr;
  if (registers_[group].claim != 0) return &registers_[group].where;
  const WarpgroupMeeting& meeting = meetings_[group];
  return meeting.count > 0 && meeting.has(thread) ? &meeting.where : nullptr;
}

std::string Warpgroups::check(int count, bool fewer, int now) const {
  if (count < 24 || count > 240 || count % 8 != 0)
    return fmt::format("{} registers for each thread: must be a multiple of 8 from 24 to 240", count);
  if (fewer ? count > now : count < now) {
    return fmt::format("{} {} registers for each thread, which has {}",
                       fewer ? "a release down to" : "a claim of", count, now);
  }
  return {};
}

std::string Warpgroups::release_registers(int warpgroup, int count) {
  Registers& registers = registers_[static_cast<size_t>(warpgroup)];
  std::string fault = check(count, true, registers.count);
  if (fault.empty()) registers.count = count;
  return fault;
}

std::string Warpgroups::claim_registers(int warpgroup, int count, attune_simt_site site) {
  Registers& registers = registers_[static_cast<size_t>(warpgroup)];
  std::string fault = check(count, false, registers.count);
  if (!fault.empty()) return fault;
  registers.claim = count;
  registers.where = {Verb::claim_registers, site};
  if (fits(registers)) {
    registers.count = count;
    registers.claim = 0;
  }
  return {};
}

bool Warpgroups::fits(const Registers& registers) const {
  int total = registers.claim - registers.count;
  for (const Registers& other : registers_)
    total += other.count;
  return total * kWarpgroupThreads <= pool_;
}

int Warpgroups::meet_claim() {
  const auto found = std::ranges::find_if(
      registers_, [&](const Registers& registers) { return registers.claim != 0 && fits(registers); });
  if (found == registers_.end()) return kNone;
  found->count = found->claim;
  found->claim = 0;
  return static_cast<int>(found - registers_.begin());
}

int Warpgroups::claimant() const {
  const auto found =
      std::ranges::find_if(registers_, [](const Registers& registers) { return registers.claim != 0; });
  return found == registers_.end() ? kNone : static_cast<int>(found - registers_.begin()) * kWarpgroupThreads;
}

std::string Warpgroups::describe_claim() const {
  std::vector<int> counts;
  for (const Registers& registers : registers_)
    counts.push_back(registers.count);
  const int group = claimant() / kWarpgroupThreads;
  return fmt::format(
      "warpgroup {} claims {} registers for each thread, but the block has {} and its warpgroups hold {} x "
      "({})",
      group, registers_[static_cast<size_t>(group)].claim, pool_, kWarpgroupThreads,
      fmt::join(counts, " + "));
}

}  // namespace attune::simt

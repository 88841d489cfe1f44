#include "budget/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace attune {
namespace {

int64_t with_margin(int64_t limit, const Margin& margin, int64_t bytes) {
  const auto scaled = static_cast<int64_t>(std::floor(static_cast<double>(limit) * (1 - margin.fraction)));
  return std::max<int64_t>(0, scaled - bytes);
}

// Registers are handed out to warps in units of 256, so a thread's count rounds up to a multiple of 8.
int registers_per_block(const ResourceUse& use) {
  const int rounded = (use.registers_per_thread + 7) / 8 * 8;
  return rounded * ((use.threads + 31) / 32 * 32);
}

int resident_blocks(const ResourceUse& use, const DeviceSpec& device) {
  // A kernel without shared memory on a device that reserves none is limited by other things.
  const int64_t shared = std::max<int64_t>(1, use.shared_bytes + device.shared_reserved_per_block);
  const int64_t by_shared = device.shared_per_multiprocessor / shared;
  const int64_t by_threads = device.threads_per_multiprocessor / use.threads;
  const int64_t by_registers = device.registers_per_multiprocessor / std::max(1, registers_per_block(use));
  return static_cast<int>(std::min(
      {by_shared, by_threads, by_registers, static_cast<int64_t>(device.blocks_per_multiprocessor)}));
}

}  // namespace

BudgetVerdict check_budget(const ResourceUse& use, const DeviceSpec& device, const Margin& margin) {
  BudgetVerdict verdict{
      .shared_need = use.shared_bytes,
      .shared_limit = with_margin(device.shared_per_block, margin, margin.bytes),
      .registers_need = use.registers_per_thread,
      .registers_limit = static_cast<int>(
          std::min<int64_t>(device.registers_per_thread, device.registers_per_multiprocessor / use.threads)),
      .threads_need = use.threads,
      .threads_limit = device.threads_per_block,
  };
  // The estimate of registers is not exact, so the margin guards it too.
  verdict.registers_limit = static_cast<int>(with_margin(verdict.registers_limit, margin, 0));
  if (verdict.shared_need > verdict.shared_limit) {
    verdict.reason =
        fmt::format("smem {} > {} (device {}, margin {:g} % + {} B)", verdict.shared_need,
                    verdict.shared_limit, device.shared_per_block, 100 * margin.fraction, margin.bytes);
  } else if (verdict.threads_need > verdict.threads_limit) {
    verdict.reason = fmt::format("threads {} > {}", verdict.threads_need, verdict.threads_limit);
  } else if (verdict.registers_need > verdict.registers_limit) {
    verdict.reason = fmt::format("registers ~{} > {} (estimate, margin {:g} %)", verdict.registers_need,
                                 verdict.registers_limit, 100 * margin.fraction);
  } else {
    verdict.fits = true;
    verdict.reason = "ok";
    verdict.blocks_per_multiprocessor = std::max(1, resident_blocks(use, device));
  }
  return verdict;
}

}  // namespace attune

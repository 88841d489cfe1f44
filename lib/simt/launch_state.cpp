#include "simt/launch_state.h"

#include <fmt/format.h>

#include "simt/random.h"

namespace attune::simt {
namespace {

// Blocks may differ in cost, as under a causal mask: the estimate from a few is refused only when it is far
// too long, and only after a while, in which the first blocks warm up.
constexpr int64_t kBlocksBeforeEstimate = 4;
constexpr double kShareBeforeEstimate = 0.02;  // of the limit
constexpr double kEstimateSlack = 2;

}  // namespace

LaunchState::LaunchState(std::string_view kernel_name, const attune_simt_kernel_info& kernel,
                         const Launch& launch, uint64_t seed, double limit_seconds)
    : kernel_name_(kernel_name),
      kernel_(kernel),
      launch_(launch),
      seed_(seed),
      limit_seconds_(limit_seconds) {}

int64_t LaunchState::take_block() {
  if (stopped_.load(std::memory_order_relaxed)) return -1;
  const int64_t block = next_.fetch_add(1, std::memory_order_relaxed);
  return block < static_cast<int64_t>(launch_.grid) ? block : -1;
}

void LaunchState::block_done() {
  done_.fetch_add(1, std::memory_order_relaxed);
}

uint64_t LaunchState::seed_of(int64_t block) const {
  return Random::mix(seed_ * 0x9e3779b97f4a7c15u + static_cast<uint64_t>(block) + 1);
}

void LaunchState::report(std::string_view where, const std::string& what) {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  if (!report_.empty()) return;
  report_ = fmt::format("{}{}{}: {}", kernel_name_, where.empty() ? "" : ": ", where, what);
}

std::string LaunchState::over_limit_reason(double elapsed) const {
  const int64_t done = done_.load(std::memory_order_relaxed);
  const int64_t blocks = launch_.grid;
  const bool estimable = done >= kBlocksBeforeEstimate && elapsed >= kShareBeforeEstimate * limit_seconds_;
  const double estimate = done > 0 ? elapsed * static_cast<double>(blocks) / static_cast<double>(done) : 0;
  const bool hopeless = estimable && estimate > kEstimateSlack * limit_seconds_;
  if (elapsed <= limit_seconds_ && !hopeless) return {};
  const std::string rest =
      done > 0 ? fmt::format("the whole launch would take about {:.3g} s", estimate) : "no block was done";
  return fmt::format(
      "too much work for the emulator: {} of {} blocks were done after {:.3g} s, {}; the limit is {:.3g} s "
      "(ATTUNE_SIMT=limit=SECONDS)",
      done, blocks, elapsed, rest, limit_seconds_);
}

bool LaunchState::should_stop() {
  if (stopped_.load(std::memory_order_relaxed)) return true;
  const std::string reason = over_limit_reason(seconds());
  if (reason.empty()) return false;
  report("", reason);
  return true;
}

std::string LaunchState::first_report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

double LaunchState::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

}  // namespace attune::simt

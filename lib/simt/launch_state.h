// LaunchState: what the OS threads of one launch share: the blocks still to run, the first fault, the clock.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "isa/simt_api.h"
#include "kernels/family.h"

namespace attune::simt {

class LaunchState {
 public:
  LaunchState(std::string_view kernel_name, const attune_simt_kernel_info& kernel, const Launch& launch,
              uint64_t seed, double limit_seconds);

  const attune_simt_kernel_info& kernel() const { return kernel_; }
  const Launch& launch() const { return launch_; }

  // The next block in launch order; -1 when there is none left or the launch is to stop.
  int64_t take_block();
  void block_done();
  // Depends on the block, not on the OS thread that runs it.
  uint64_t seed_of(int64_t block) const;

  // Keeps the first report and stops the launch. `where` as in "block 3, thread 7"; may be empty.
  void report(std::string_view where, const std::string& what);
  // Looks at the clock; true when the launch is to stop, for that or any other reason.
  bool should_stop();

  std::string first_report() const;
  double seconds() const;

 private:
  std::string over_limit_reason(double elapsed) const;

  std::string_view kernel_name_;
  const attune_simt_kernel_info& kernel_;
  const Launch& launch_;
  const uint64_t seed_;
  const double limit_seconds_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::atomic<int64_t> next_{0};
  std::atomic<int64_t> done_{0};
  std::atomic<bool> stopped_{false};
  mutable std::mutex mutex_;
  std::string report_;
};

}  // namespace attune::simt

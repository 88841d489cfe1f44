// Emulator: runs launches of compiled templates on this host's threads, one launch at a time.
#pragma once

#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "simt/options.h"
#include "simt/worker.h"

namespace attune::simt {

class Emulator {
 public:
  explicit Emulator(const SimtOptions& options);

  // Returns when all blocks are done. Throws Error (LAUNCH_FAILED) with the first report of any thread; the
  // emulator can be used again afterwards. Thread-safe: launches wait for each other.
  RunReport run(std::string_view kernel_name, const attune_simt_kernel_info& kernel, const Launch& launch);
  // Of the last launch that ended, whether well or not.
  RunReport last_report() const;

 private:
  int workers_for(const Launch& launch) const;
  void run_workers(LaunchState& state, int count);

  SimtOptions options_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Worker>> workers_;  // kept for their stacks and memory
  RunReport last_report_;
};

}  // namespace attune::simt

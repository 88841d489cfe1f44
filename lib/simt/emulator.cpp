#include "simt/emulator.h"

#include <algorithm>
#include <cfenv>
#include <system_error>
#include <thread>

#include "base/error.h"

namespace attune::simt {
namespace {

// Every stack is two mappings, and Linux gives a process 65530 by default.
constexpr int kMaxFibers = 16384;

// Kernels compute in the default floating-point environment, whatever the caller's thread is set to.
class DefaultFloats {
 public:
  DefaultFloats() {
    std::fegetenv(&saved_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~DefaultFloats() { std::fesetenv(&saved_); }
  DefaultFloats(const DefaultFloats&) = delete;
  DefaultFloats& operator=(const DefaultFloats&) = delete;

 private:
  std::fenv_t saved_;
};

void run_worker(Worker& worker, LaunchState& state) {
  const DefaultFloats floats;
  worker.run(state);
}

RunReport merge(const std::vector<std::unique_ptr<Worker>>& workers, int count) {
  RunReport all;
  for (int i = 0; i < count; ++i) {
    const RunReport& one = workers[i]->report();
    all.blocks += one.blocks;
    all.barriers += one.barriers;
    all.rendezvous += one.rendezvous;
    all.highest_shared_byte = std::max(all.highest_shared_byte, one.highest_shared_byte);
  }
  return all;
}

}  // namespace

Emulator::Emulator(const SimtOptions& options) : options_(options) {
  if (options_.threads == 0)
    options_.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

int Emulator::workers_for(const Launch& launch) const {
  const int64_t by_stacks = std::max<int64_t>(1, kMaxFibers / std::max<int64_t>(1, launch.block));
  return static_cast<int>(std::min({int64_t{options_.threads}, int64_t{launch.grid}, by_stacks}));
}

void Emulator::run_workers(LaunchState& state, int count) {
  std::vector<std::thread> others;
  try {
    for (int i = 1; i < count; ++i) {
      others.emplace_back([&worker = *workers_[i], &state] { run_worker(worker, state); });
    }
  } catch (const std::system_error&) {  // no more threads: the ones there are take all blocks
  }
  run_worker(*workers_[0], state);
  for (std::thread& other : others)
    other.join();
}

RunReport Emulator::run(std::string_view kernel_name, const attune_simt_kernel_info& kernel,
                        const Launch& launch) {
  const std::lock_guard lock(mutex_);
  last_report_ = RunReport{};
  if (launch.grid == 0) return last_report_;
  const int count = workers_for(launch);
  while (static_cast<int>(workers_.size()) < count)
    workers_.push_back(std::make_unique<Worker>());

  LaunchState state(kernel_name, kernel, launch, options_.seed, options_.limit_seconds);
  run_workers(state, count);
  last_report_ = merge(workers_, count);
  last_report_.seconds = state.seconds();
  const std::string fault = state.first_report();
  if (!fault.empty()) throw Error(ATTUNE_ERROR_LAUNCH_FAILED, fault);
  return last_report_;
}

RunReport Emulator::last_report() const {
  const std::lock_guard lock(mutex_);
  return last_report_;
}

}  // namespace attune::simt

// MBarriers: the block's barriers in shared memory on which tensor copies are awaited. A phase is complete
// when its one arrival has come and all bytes that it announced.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "simt/phase_log.h"
#include "simt/waiting.h"

namespace attune::simt {

class MBarriers {
 public:
  static constexpr int kNone = -1;

  void begin_block(int threads);

  // Each fault as text; empty: none.
  std::string init(int64_t offset);
  // Shows the barriers initialised so far to the copy engine.
  void fence();
  std::string expect(int barrier, uint32_t bytes);

  // The barrier at a byte of shared memory; kNone when none was initialised there.
  int find(int64_t offset) const;
  bool is_fenced(int barrier) const { return barriers_[barrier].fenced; }
  uint32_t completed(int barrier) const { return barriers_[barrier].completed; }
  bool is_complete(int barrier, uint32_t parity) const { return completed(barrier) % 2 != parity; }
  // Bytes of a copy have arrived.
  void arrive(int barrier, int64_t bytes);

  // Threads that wait for a barrier's phase; those of phases that have completed are to go on.
  void wait(int thread, int barrier, attune_simt_site site);
  std::vector<int> take_released();

  // The thread's wait, if it is in one.
  const Waiting* waiting(int thread) const;
  // What the barrier that a thread waits for lacks: "no arrival, 8192 bytes are missing".
  std::string describe_missing(int thread) const;

  PhaseLog& phases() { return phases_; }

 private:
  struct Barrier {
    int64_t offset;
    bool fenced = false;
    bool arrived = false;
    int64_t missing_bytes = 0;
    uint32_t completed = 0;  // phases
  };
  struct Waiter {
    int thread;
    int barrier;
    uint32_t phase;
    Waiting where;
  };

  const Waiter* waiter(int thread) const;
  void complete_if_due(Barrier& barrier);

  std::vector<Barrier> barriers_;
  std::vector<Waiter> waiters_;
  PhaseLog phases_;
};

}  // namespace attune::simt

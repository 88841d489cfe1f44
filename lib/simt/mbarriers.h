// MBarriers: the block's barriers in shared memory on which copies and other threads are awaited. A phase is
// complete when its arrivals have come and all bytes that they announced. What those who arrive know, those
// who wait know afterwards.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "simt/knowledge.h"
#include "simt/waiting.h"

namespace attune::simt {

class MBarriers {
 public:
  static constexpr int kNone = -1;

  explicit MBarriers(Knowledge& knowledge) : knowledge_(knowledge) {}

  void begin_block();

  // Each fault as text; empty: none.
  std::string init(int64_t offset, uint32_t arrivals);
  // Shows the barriers initialised so far to the copy engine.
  void fence();
  // An arrival that announces so many bytes.
  std::string arrive(int barrier, uint32_t bytes, Stamp me);

  // The barrier at a byte of shared memory; kNone when none was initialised there.
  int find(int64_t offset) const;
  bool is_fenced(int barrier) const { return barriers_[barrier].fenced; }
  uint32_t completed(int barrier) const { return barriers_[barrier].completed; }
  bool is_complete(int barrier, uint32_t parity) const { return completed(barrier) % 2 != parity; }
  // Bytes of a copy have arrived.
  void bring(int barrier, int64_t bytes);
  // The thread has waited for the last phase that completed. The fault as text when it did not know that the
  // one before was complete: had it come sooner, the last but one, of the same parity, would have let it go.
  std::string observe(int thread, int barrier);

  // Threads that wait for a barrier's phase; those of phases that have completed are to go on.
  void wait(int thread, int barrier, attune_simt_site site);
  std::vector<int> take_released();

  // The thread's wait, if it is in one.
  const Waiting* waiting(int thread) const;
  // What the barrier that a thread waits for lacks: "no arrival, 8192 bytes are missing".
  std::string describe_missing(int thread) const;

 private:
  struct Barrier {
    int64_t offset;
    uint32_t arrivals;  // of a phase
    bool fenced = false;
    uint32_t arrived = 0;  // in the present one
    int64_t missing_bytes = 0;
    uint32_t completed = 0;   // phases
    Knowledge::Row coming;    // what those who arrived knew
    Knowledge::Row released;  // the same, up to the last phase that completed
  };
  struct Waiter {
    int thread;
    int barrier;
    uint32_t phase;
    Waiting where;
  };

  const Waiter* waiter(int thread) const;
  void complete_if_due(Barrier& barrier);

  Knowledge& knowledge_;
  std::vector<Barrier> barriers_;
  std::vector<Waiter> waiters_;
};

}  // namespace attune::simt

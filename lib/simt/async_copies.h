// AsyncCopies: the asynchronous copies of a block's threads, each queue in the order of issue, closed into
// groups.
#pragma once

#include <cstdint>
#include <vector>

#include "simt/random.h"
#include "simt/shared_memory.h"

namespace attune::simt {

class AsyncCopies {
 public:
  void begin_block(int threads);

  // Copies the first `bytes` of 16, the others become zero. The data arrive at a moment that chance decides,
  // at the latest in wait(); until then, and for anyone who did not wait, the destination is poisoned. False:
  // SharedMemory::fault() says why not.
  bool issue(int thread, int64_t offset, const void* source, int bytes, SharedMemory& shared, Stamp me,
             Random& random);
  void commit(int thread, SharedMemory& shared, Random& random);
  // Ends all copies but those of the `pending` newest groups and those not committed.
  void wait(int thread, int pending, SharedMemory& shared, Stamp me);

 private:
  struct Copy {
    int64_t offset;
    const void* source;
    int bytes;
    int64_t group;
    int site;  // of the issue, for reports
    bool landed;
  };
  struct Queue {
    std::vector<Copy> copies;
    size_t first = 0;    // not ended yet
    int64_t groups = 0;  // committed
  };

  static void land(Copy& copy, SharedMemory& shared);

  std::vector<Queue> queues_;  // by thread
};

}  // namespace attune::simt

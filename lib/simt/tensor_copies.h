// TensorCopies: what the copy engine of the block has been told to bring and has not brought yet.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/tensor_map.h"
#include "simt/mbarriers.h"
#include "simt/random.h"
#include "simt/shared_memory.h"

namespace attune::simt {

// A box of a tensor and where it is to go.
struct TensorCopy {
  PanelTensor tensor;
  int64_t destination;  // byte of shared memory
  int barrier;
  int panel;  // the first one
  int row;
  int head;
  int batch;

  int64_t bytes() const;
};

// Bytes as they lie in global memory.
struct BulkCopy {
  const void* source;
  int64_t destination;
  int barrier;
  int64_t size;

  int64_t bytes() const { return size; }
};

class TensorCopies {
 public:
  void begin_block() {
    boxes_.clear();
    bulk_.clear();
  }

  // Starts a copy. The data arrive at a moment that chance decides, at the latest when somebody comes to wait
  // on the barrier or when nobody can go on; nobody may touch the destination before he has waited. False:
  // SharedMemory::fault() says why not.
  bool issue(const TensorCopy& copy, SharedMemory& shared, MBarriers& barriers, Stamp me, Random& random);
  bool issue(const BulkCopy& copy, SharedMemory& shared, MBarriers& barriers, Stamp me, Random& random);
  // All copies that a barrier waits for arrive.
  void land(int barrier, SharedMemory& shared, MBarriers& barriers);
  // All copies arrive, since the threads that could wait longer wait for them. False: there were none.
  bool land_all(SharedMemory& shared, MBarriers& barriers);

 private:
  std::vector<TensorCopy> boxes_;
  std::vector<BulkCopy> bulk_;
};

}  // namespace attune::simt

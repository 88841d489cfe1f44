// TensorStores: what the copy engine of the block has been told to write to global memory. The threads'
// stores are closed into groups, which they wait for.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/tensor_map.h"
#include "simt/random.h"
#include "simt/shared_memory.h"

namespace attune::simt {

// A panel of shared memory and where in its tensor it is to go.
struct TensorStore {
  PanelTensor tensor;
  int64_t source;  // byte of shared memory
  int column;
  int row;
  int head;
  int batch;

  // What of the box exists: rows, and bytes of each.
  int64_t rows() const;
  int64_t row_bytes() const;
  uint64_t address_of(int64_t row) const;  // of a row of the box, in global memory
};

class TensorStores {
 public:
  void begin_block();

  // Starts a store. Its data leave at a moment that chance decides, at the latest in wait_read(); until then
  // nobody may write to the source. False: SharedMemory::fault() says why not.
  bool issue(const TensorStore& store, attune_simt_site site, SharedMemory& shared, Stamp me, Random& random);
  void commit(int thread);
  // Ends all stores of a thread but those of its `pending` newest groups and those not committed.
  void wait_read(int pending, SharedMemory& shared, Stamp me);

  // Where the thread started a store that it has not waited for; nullptr: there is none.
  const attune_simt_site* unfinished(int thread) const;

 private:
  struct InFlight {
    TensorStore store;
    int thread;
    int64_t group;
    attune_simt_site site;
    bool written;
  };

  int64_t& groups_of(int thread);
  static void write(InFlight& in_flight, SharedMemory& shared);

  std::vector<InFlight> in_flight_;  // in the order of issue
  std::vector<int64_t> groups_;      // committed, by thread; empty until there are any
};

}  // namespace attune::simt

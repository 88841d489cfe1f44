// WarpgroupProducts: the products that the block's warpgroups have started and not waited for.
//
// A product is computed when it is started, which nobody can tell: until each warp has waited for it, whoever
// writes to its operands in shared memory is reported (ProductReads), its fragment has been read, and its sum
// is NaN. The real values of a sum are kept here meanwhile, and further products are added to them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "simt/matrix_operand.h"
#include "simt/shared_memory.h"
#include "simt/warpgroup_mma.h"

namespace attune::simt {

constexpr int kWarpgroupThreads = 128;

// What is equal in all threads of the warpgroup.
struct WarpgroupProduct {
  int tiles;
  bool a_in_registers;
  uint64_t a;  // descriptors
  uint64_t b;
  bool transpose_b;
  bool accumulate;
  attune_simt_format format;
  uint32_t group;  // that will be committed with it

  bool operator==(const WarpgroupProduct&) const = default;
};

struct WarpgroupOperands {
  float* sum;                // [tiles][4] of a thread
  const uint32_t* fragment;  // its 4 words of A
};

class WarpgroupProducts {
 public:
  static constexpr int kReadersPerWarp = 2;

  explicit WarpgroupProducts(Knowledge& knowledge) : knowledge_(knowledge) {}

  void begin_block(int threads);

  void arrive(int thread) { threads_[thread].arrived = true; }
  void commit(int thread) { ++threads_[thread].groups; }
  uint32_t open_group(int thread) const { return threads_[thread].groups; }

  // All threads have met; `readers` are stamps of kReadersPerWarp lanes of each of their warps. The fault as
  // text; empty: none.
  std::string multiply(const WarpgroupProduct& product,
                       const std::array<WarpgroupOperands, kWarpgroupThreads>& operands,
                       std::span<const Stamp> readers, attune_simt_site site, SharedMemory& shared);
  // Gives the thread its part of the sums of all groups but the `pending` newest.
  std::string wait(int thread, int pending);
  // Where a product was started that the thread has not waited for; nullptr: none.
  const attune_simt_site* unfinished(int thread) const;

 private:
  static constexpr int kColumns = 8 * WarpgroupMultiplier::kMaxTiles;

  struct Sum {
    std::array<float, static_cast<size_t>(WarpgroupMultiplier::kRows) * kColumns> values;
    std::array<float*, kWarpgroupThreads> parts;
    std::array<bool, kWarpgroupThreads> taken;
    int tiles;
    int left;  // threads that have not taken their part
    uint32_t last_group;
    attune_simt_site site;
  };
  struct Warpgroup {
    std::vector<std::unique_ptr<Sum>> in_flight;
    std::vector<uint32_t> last_product;  // [group]
  };
  struct Thread {
    uint32_t groups = 0;   // committed
    bool arrived = false;  // since it last took a sum
  };

  using Operands = std::array<WarpgroupOperands, kWarpgroupThreads>;

  std::string read_operands(const WarpgroupProduct& product, const Operands& operands,
                            std::span<const Stamp> readers, SharedMemory& shared);
  std::string find_sum(Warpgroup& warpgroup, int first_thread, const WarpgroupProduct& product,
                       const Operands& operands, Sum*& sum);
  Sum* begin_sum(Warpgroup& warpgroup, const WarpgroupProduct& product, const Operands& operands);

  Knowledge& knowledge_;
  WarpgroupMultiplier multiplier_;
  std::vector<Warpgroup> warpgroups_;
  std::vector<Thread> threads_;
  std::vector<std::unique_ptr<Sum>> free_;
  std::array<uint16_t, WarpgroupMultiplier::kRows * WarpgroupMultiplier::kStep> a_;
  std::array<uint16_t, static_cast<size_t>(kColumns) * WarpgroupMultiplier::kStep> b_;
};

}  // namespace attune::simt

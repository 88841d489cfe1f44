// Family: the host twin of one kernel template. It knows the template's parameters, resources and launch,
// never a device API.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "budget/budget.h"
#include "device/device_spec.h"
#include "kernels/tensor_map.h"
#include "problem/problem.h"
#include "space/config.h"

namespace attune {

// A tensor at execute: address and strides of (batch, head, row, column) in elements.
struct TensorView {
  void* data = nullptr;
  std::array<int64_t, 4> stride{};
};

// What backward is given beside q, k, v, o and lse, which are then inputs.
struct GradientArguments {
  TensorView dout;
  TensorView dq, dk, dv;       // data is null: not wanted
  const void* dlse = nullptr;  // of statistics_dtype; null: zero
  void* row_terms = nullptr;   // in the workspace: from the first stage to the others
};

// What one execution is given, checked and resolved: actual lengths, strides, the scale.
struct Arguments {
  TensorView q, k, v, o;  // row_softmax reads q and writes o
  void* lse = nullptr;    // of statistics_dtype
  // As much as the family asks for; null: forward does without. Backward has row terms there.
  void* workspace = nullptr;
  // Of the stages of backward only; elsewhere null, so that forward does not pay for what it has not.
  const GradientArguments* gradients = nullptr;
  int64_t batch = 0;
  int64_t seqlen_q = 0;
  int64_t seqlen_kv = 0;
  double scale = 0;  // a float unless the dtype is f64
};

// Device memory a kernel may touch, so that the emulator can check every access. Ignored by GPUs.
struct MemoryRegion {
  const void* base;
  size_t bytes;
};

// One kernel launch, of fixed size so that packing allocates nothing.
struct Launch {
  static constexpr size_t kMaxParameterBytes = 1024;
  static constexpr size_t kMaxRegions = 8;

  uint32_t grid = 0;   // blocks; grids are one-dimensional; 0: there is nothing to do
  uint32_t block = 0;  // threads
  uint32_t shared_bytes = 0;
  // The kernel waits by itself for what was launched before it (await_previous_launch), so that it may begin
  // while that is still running.
  bool begins_early = false;
  size_t parameter_bytes = 0;
  // Only the first parameter_bytes and region_count mean something: zeroing the rest would be most of what
  // packing costs.
  alignas(128) std::array<std::byte, kMaxParameterBytes> parameters;
  size_t region_count = 0;
  std::array<MemoryRegion, kMaxRegions> regions;

  // The parameters, to be assigned field by field.
  template <typename Params>
  Params& begin_parameters() {
    static_assert(sizeof(Params) <= kMaxParameterBytes && std::is_trivial_v<Params>);
    parameter_bytes = sizeof(Params);
    return *new (parameters.data()) Params;
  }
  void add_region(const void* base, size_t bytes);
};

// What every launch of one config has in common, resolved once, so that packing looks nothing up.
struct LaunchShape {
  uint32_t threads = 0;       // of a block
  uint32_t shared_bytes = 0;  // dynamic
  int64_t rows = 0;           // a block's share of the work; which rows is the family's own affair
  int64_t parts = 1;          // blocks that share such rows, each with other outputs
  int64_t turn_keys = 0;      // keys that a block takes at once, where blocks share those of some rows
  int blocks_per_multiprocessor = 0;  // likewise: that are meant to run at once
  int box_rows = 0;                   // rows of a tensor copy in each step; 0: the kernel has none
  bool tensor_stores = false;         // outputs are stored by the copy engine
  bool persistent = false;            // blocks go on with other rows when done with some
  bool begins_early = false;  // see Launch; only where every thread of the kernel awaits the previous launch
  // Of the device, set by who launches: who describes tensors to its copy engine (null: nobody), and its
  // multiprocessors (0: nobody knows).
  const TensorMapEncoder* tensor_maps = nullptr;
  int multiprocessors = 0;
};

// A constant the specialiser writes into attune_config.h.
struct Define {
  std::string name;
  std::string value;
};

class Family;

// What a kernel is specialised for beside the problem.
struct FamilyConfig {
  const Family* family;
  Config config;
};

class Family {
 public:
  virtual ~Family() = default;

  virtual std::string_view name() const = 0;  // "flash_fwd"
  virtual std::string_view template_path()
      const = 0;  // "flash_fwd.cuh"; the entry point has the family's name

  // Empty when the family can do `problem` on `device`; else why not, with the numbers.
  virtual std::string inapplicable_reason(const Problem& problem, const DeviceSpec& device) const = 0;
  virtual ConfigSpace space(const Problem& problem, const DeviceSpec& device) const = 0;
  virtual ResourceUse resources(const Problem& problem, const Config& config) const = 0;
  // Constants beside the config's own values: dtype, head dimensions, mask.
  virtual std::vector<Define> defines(const Problem& problem) const = 0;
  // The cost model: predicted seconds, good for ordering only.
  virtual double predicted_seconds(const Problem& problem, const Config& config, const DeviceSpec& device,
                                   const BudgetVerdict& verdict) const = 0;
  virtual LaunchShape launch_shape(const Problem& problem, const Config& config) const = 0;
  // Bytes of workspace that any launch within this capacity takes. It may hold anything before.
  virtual size_t workspace_bytes(const Problem&, const LaunchShape&) const { return 0; }
  // How keys are divided among blocks: part of what decides a result's bits. With one config for all lengths
  // it may look at the capacity's batch and queries, never at those of a launch.
  virtual std::string_view split_rule() const { return "none"; }
  // Packs a launch for these arguments; allocates nothing. False when the config's kernel cannot take them:
  // then that of its fallback can.
  [[nodiscard]] virtual bool pack(const Problem& problem, const LaunchShape& shape,
                                  const Arguments& arguments, Launch& launch) const = 0;
  // What takes over where `config` cannot; nothing: there is no such place.
  virtual std::optional<FamilyConfig> fallback(const Problem&, const Config&) const { return std::nullopt; }

  // The same for one launch alone, on a device with so many multiprocessors (0: nobody knows). Throws Error
  // (LAUNCH_FAILED) where the config cannot take the arguments.
  void pack(const Problem& problem, const Config& config, const Arguments& arguments,
            const TensorMapEncoder* tensor_maps, Launch& launch, int multiprocessors = 0) const;
};

// A family with one config: the unit that is pruned, compiled, measured and chosen.
struct Candidate {
  const Family* family = nullptr;
  Config config;
  ResourceUse use;
  BudgetVerdict verdict;
  double predicted_seconds = 0;
};

}  // namespace attune

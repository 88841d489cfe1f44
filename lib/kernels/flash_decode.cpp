// Host twin of kernel_templates/flash_decode.cuh.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/quotient_up.h"
#include "flash_decode.layout.h"
#include "flash_decode.params.h"
#include "kernels/families.h"
#include "kernels/flash.h"
#include "kernels/key_splits.h"

namespace attune {
namespace {

// More rows are as many as flash_fwd's tiles have.
constexpr int64_t kMostRows = 64;

FlashDecodeLayout layout_of(const Problem& problem, const Config& config) {
  return {.head_dim = static_cast<int>(problem.head_dim),
          .head_dim_v = static_cast<int>(problem.head_dim_v),
          .block_m = config.at("BLOCK_M"),
          .block_n = config.at("BLOCK_N"),
          .warps = config.at("WARPS"),
          .stages = config.at("STAGES")};
}

PartialResultsLayout partial_of(const Problem& problem, int64_t rows) {
  return {.rows = static_cast<int>(rows),
          .columns = FlashDecodeLayout::padded(static_cast<int>(problem.head_dim_v))};
}

int64_t group_of(const Problem& problem) {
  return problem.heads_q / problem.heads_kv;
}

// The tiles of packed rows.
int64_t tiles_of(const Problem& problem, int64_t batch, int64_t seqlen_q, int64_t tile_rows) {
  return batch * problem.heads_kv * quotient_up(group_of(problem) * seqlen_q, tile_rows);
}

// Blocks that a device runs at once; 0: nobody knows.
int64_t places_of(const LaunchShape& shape) {
  return static_cast<int64_t>(shape.multiprocessors) * shape.blocks_per_multiprocessor;
}

// Of the workspace: the counters of tiles whose keys are divided, and padding, before partial results.
int64_t counter_bytes(const LaunchShape& shape) {
  constexpr int64_t kAlignment = 256;
  const int64_t tiles = most_splitting_blocks(places_of(shape)) / 2;  // each has two blocks or more
  return quotient_up(tiles * int64_t{sizeof(uint64_t)}, kAlignment) * kAlignment;
}

// How the keys of a launch are divided. `batch` and `seqlen_q` are those the number of blocks is chosen for.
KeySplits splits_of(const Problem& problem, const LaunchShape& shape, int64_t batch, int64_t seqlen_q,
                    int64_t keys) {
  const int64_t rows = std::min(shape.rows, group_of(problem) * seqlen_q);
  return split_keys({.tiles = tiles_of(problem, batch, seqlen_q, shape.rows),
                     .keys = keys,
                     .turn = shape.turn_keys,
                     .places = places_of(shape),
                     .bytes_of_partial = rows * problem.head_dim_v * int64_t{sizeof(float)}});
}

// Keys that any of the queries sees.
int64_t visible_keys(const Problem& problem, int64_t seqlen_q, int64_t seqlen_kv) {
  if (problem.mask == Mask::none) return seqlen_kv;
  const int64_t seen_by_last = seqlen_q + causal_diagonal(problem.mask, seqlen_q, seqlen_kv);
  return std::clamp<int64_t>(seen_by_last, 0, seqlen_kv);
}

class FlashDecode final : public Family {
 public:
  std::string_view name() const override { return "flash_decode"; }
  std::string_view template_path() const override { return "flash_decode.cuh"; }

  std::string inapplicable_reason(const Problem& problem, const DeviceSpec& device) const override {
    if (problem.operation != Operation::forward) return "computes the forward pass only";
    if (size_of(problem.dtype) != 2)
      return fmt::format("multiplies 16-bit elements, not {}", name_of(problem.dtype));
    const int64_t rows = group_of(problem) * problem.seqlen_q;
    if (rows > kMostRows) {
      return fmt::format("is for at most {} rows that share their keys, here {} query heads x {} queries",
                         kMostRows, group_of(problem), problem.seqlen_q);
    }
    return flash::missing_products_reason(problem.dtype, device);
  }

  ConfigSpace space(const Problem& problem, const DeviceSpec& device) const override;

  ResourceUse resources(const Problem& problem, const Config& config) const override {
    const FlashDecodeLayout layout = layout_of(problem, config);
    const int queries = layout.q_in_registers() ? layout.fragments() * layout.padded_dim() / 4 : 0;
    const int sums = layout.fragments() * (layout.padded_dim_v() + layout.block_n) / 2;
    return {.shared_bytes = layout.shared_bytes(),
            .threads = 32 * config.at("WARPS"),
            .registers_per_thread = flash::registers_of(problem.dtype, sums + queries)};
  }

  std::vector<Define> defines(const Problem& problem) const override { return flash::defines(problem); }

  double predicted_seconds(const Problem& problem, const Config& config, const DeviceSpec& device,
                           const BudgetVerdict& verdict) const override;

  LaunchShape launch_shape(const Problem& problem, const Config& config) const override {
    return {.threads = static_cast<uint32_t>(32 * config.at("WARPS")),
            .shared_bytes = static_cast<uint32_t>(layout_of(problem, config).shared_bytes()),
            .rows = config.at("BLOCK_M"),
            .turn_keys = config.at("WARPS") * config.at("BLOCK_N"),
            .blocks_per_multiprocessor = config.at("BLOCKS"),
            .begins_early = config.at("BEGINS_EARLY") != 0};
  }

  size_t workspace_bytes(const Problem& capacity, const LaunchShape& shape) const override;
  std::string_view split_rule() const override { return "keys by places"; }

  bool pack(const Problem& problem, const LaunchShape& shape, const Arguments& arguments,
            Launch& launch) const override;
};

ConfigSpace FlashDecode::space(const Problem& problem, const DeviceSpec& device) const {
  // Of all problems of a bucket, so that they share its records.
  const bool one_fragment = group_of(problem) * (problem.seqlen_q <= 1 ? 1 : 16) <= 16;
  static constexpr int kStages[] = {2, 3, 4, 6, 8};
  // What the resident blocks of a config take of a multiprocessor's shared memory, with so many stages.
  const auto shared_bytes = [problem, device](const Config& config, int stages) {
    FlashDecodeLayout layout = layout_of(problem, config);
    layout.stages = stages;
    return config.at("BLOCKS") * (layout.shared_bytes() + device.shared_reserved_per_block);
  };
  return ConfigSpace(
      {{"BLOCK_M", one_fragment ? std::vector<int>{16} : std::vector<int>{16, 32},
        "packed query rows of a block"},
       {"BLOCK_N", {16, 32}, "keys of a warp's step"},
       {"WARPS", {2, 4, 8}, "warps of a block, each with keys of its own"},
       {"STAGES", {std::begin(kStages), std::end(kStages)}, "steps of a warp in flight or in use"},
       {"BLOCKS", {1, 2, 4}, "blocks of a multiprocessor"},
       {"BEGINS_EARLY",
        {device.compute_capability() >= 90 ? 1 : 0},
        "launched while the launch before it ends"}},
      {{"four to eight warps on a multiprocessor, or two where more have no room",
        // Fewer do not hide each other's waits, more have short rings.
        [shared_bytes, device](const Config& config) {
          const int warps = config.at("WARPS") * config.at("BLOCKS");
          Config four = config;
          four.set("WARPS", 4);
          four.set("BLOCKS", 1);
          const bool have_room = shared_bytes(four, 2) <= device.shared_per_multiprocessor;
          return (warps >= 4 || !have_room) && warps <= 8;
        }},
       // What is in flight is what brings the bytes.
       {"rings as deep as shared memory allows", [shared_bytes, device](const Config& config) {
          const auto deeper = std::upper_bound(std::begin(kStages), std::end(kStages), config.at("STAGES"));
          return shared_bytes(config, config.at("STAGES")) <= device.shared_per_multiprocessor &&
                 (deeper == std::end(kStages) ||
                  shared_bytes(config, *deeper) > device.shared_per_multiprocessor);
        }}});
}

// What a multiprocessor can bring, as far as enough blocks have enough in flight. The memory's own bound is
// the same for all families, whose models leave it out: so does this one, since the order of candidates is
// all that is asked of it.
double FlashDecode::predicted_seconds(const Problem& problem, const Config& config, const DeviceSpec& device,
                                      const BudgetVerdict&) const {
  constexpr double kLatency = 1.2e-6;             // from asking for bytes to having them, under load
  constexpr double kMostOfMultiprocessor = 7e10;  // bytes per second that one can bring
  constexpr double kCyclesOfStep = 700;  // of a warp: its products and exponentials wait for each other
  constexpr double kStart = 3e-6, kPutTogether = 2e-6, kBytesPutTogether = 5e10;
  LaunchShape shape = launch_shape(problem, config);
  shape.multiprocessors = device.multiprocessors;
  const int64_t keys = visible_keys(problem, problem.seqlen_q, problem.seqlen_kv);
  const KeySplits split = splits_of(problem, shape, problem.batch, problem.seqlen_q, keys);
  const auto tiles = static_cast<double>(tiles_of(problem, problem.batch, problem.seqlen_q, shape.rows));
  const auto bytes_of_key = static_cast<double>(2 * (problem.head_dim + problem.head_dim_v));
  const FlashDecodeLayout layout = layout_of(problem, config);
  const double stages = layout.stages, fragments = layout.fragments();

  const double in_flight =
      shape.blocks_per_multiprocessor * layout.warps * (stages - 1) * layout.slot_bytes();
  const double by_flight = std::min(kMostOfMultiprocessor, in_flight / kLatency);
  const double by_steps = shape.blocks_per_multiprocessor * static_cast<double>(shape.turn_keys) *
                          bytes_of_key * device.clock_hz /
                          (kCyclesOfStep * fragments * (layout.block_n == 16 ? 1 : 1.6));
  const double rate_of_block = std::min(by_flight, by_steps) / shape.blocks_per_multiprocessor;
  const double rounds =
      std::max(1.0, tiles * static_cast<double>(split.splits) / static_cast<double>(places_of(shape)));
  const double by_blocks = (rounds < 8 ? std::ceil(rounds) : rounds) *
                           (static_cast<double>(split.keys) * bytes_of_key / rate_of_block + 1e-6);
  const double rows =
      std::min<double>(layout.block_m, static_cast<double>(group_of(problem) * problem.seqlen_q));
  const double together = split.splits > 1 ? kPutTogether + static_cast<double>(split.splits) * rows *
                                                                static_cast<double>(problem.head_dim_v) * 4 /
                                                                kBytesPutTogether
                                           : 0;
  return kStart + by_blocks + together;
}

size_t FlashDecode::workspace_bytes(const Problem& capacity, const LaunchShape& shape) const {
  const int64_t splits = most_splits(capacity.seqlen_kv), most = most_splitting_blocks(places_of(shape));
  if (splits == 1 || most == 0) return 0;
  const int64_t tiles = std::min(tiles_of(capacity, capacity.batch, capacity.seqlen_q, shape.rows), most);
  return static_cast<size_t>(counter_bytes(shape) +
                             partial_of(capacity, shape.rows).bytes(std::min(most, tiles * splits)));
}

bool FlashDecode::pack(const Problem& problem, const LaunchShape& shape, const Arguments& arguments,
                       Launch& launch) const {
  const int64_t batch = arguments.batch, nq = arguments.seqlen_q, nk = arguments.seqlen_kv;
  const int64_t keys = visible_keys(problem, nq, nk);
  const int64_t group = group_of(problem);
  const size_t element = size_of(problem.dtype);
  // Without a workspace one block takes all keys of its rows. With one config for all lengths the split does
  // not depend on batch or queries.
  LaunchShape places = shape;
  if (!arguments.workspace) places.multiprocessors = 0;
  const KeySplits split = problem.single_config
                              ? splits_of(problem, places, problem.batch, problem.seqlen_q, keys)
                              : splits_of(problem, places, batch, nq, keys);
  const int64_t tiles = quotient_up(group * nq, shape.rows);
  const FlashTensor q = flash::tensor_of(arguments.q, batch, problem.heads_q, nq);
  const FlashTensor k = flash::tensor_of(arguments.k, batch, problem.heads_kv, nk);
  const FlashTensor v = flash::tensor_of(arguments.v, batch, problem.heads_kv, nk);
  const FlashTensor o = flash::tensor_of(arguments.o, batch, problem.heads_q, nq);
  const bool splits = split.splits > 1;
  auto* const counters = static_cast<std::byte*>(arguments.workspace);
  std::byte* const partials = splits ? counters + counter_bytes(shape) : nullptr;
  launch.begin_parameters<FlashDecodeParams>() = {
      .q = q,
      .k = k,
      .v = v,
      .o = o,
      .lse = arguments.lse,
      .counters = splits ? counters : nullptr,
      .partials = partials,
      .scale = static_cast<float>(arguments.scale),
      .scale_log2 = static_cast<float>(arguments.scale * flash::kLog2E),
      .heads_kv = static_cast<int>(problem.heads_kv),
      .heads_per_kv = static_cast<int>(group),
      .seqlen_q = static_cast<int>(nq),
      .keys = static_cast<int>(keys),
      .tiles = static_cast<int>(tiles),
      .splits = static_cast<int>(split.splits),
      .split_keys = static_cast<int>(split.keys),
      .diagonal = static_cast<int>(causal_diagonal(problem.mask, nq, nk)),
      .aligned = flash::aligned_bit(q, element, 0) | flash::aligned_bit(k, element, 1) |
                 flash::aligned_bit(v, element, 2) | flash::aligned_bit(o, element, 3)};
  const uint32_t blocks = flash::blocks_of(tiles * split.splits, problem.heads_kv, batch);
  flash::set_shape(launch, shape, blocks);
  flash::add_forward_regions(launch, problem, arguments);
  if (splits) {
    launch.add_region(counters, static_cast<size_t>(blocks / split.splits) * sizeof(uint64_t));
    launch.add_region(partials, static_cast<size_t>(partial_of(problem, shape.rows).bytes(blocks)));
  }
  return true;
}

}  // namespace

const Family& flash_decode_family() {
  static const FlashDecode kFamily;
  return kFamily;
}

}  // namespace attune

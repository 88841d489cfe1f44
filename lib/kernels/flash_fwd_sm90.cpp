// Host twin of kernel_templates/flash_fwd_sm90.cuh.
#include <algorithm>
#include <cmath>

#include "flash_fwd_sm90.layout.h"
#include "flash_fwd_sm90.params.h"
#include "kernels/divisor.h"
#include "kernels/families.h"
#include "kernels/flash.h"
#include "kernels/tile_walk.h"
#include "kernels/warpgroups.h"

namespace attune {
namespace {

int consumers_of(const Config& config) {
  return config.at("BLOCK_M") / warpgroups::kRows;
}

FlashFwdSm90Layout layout_of(const Problem& problem, int consumers, int block_n, int stages,
                             bool persistent) {
  return {.head_dim = static_cast<int>(problem.head_dim),
          .head_dim_v = static_cast<int>(problem.head_dim_v),
          .consumers = consumers,
          .block_n = block_n,
          .stages = stages,
          .persistent = persistent ? 1 : 0};
}
FlashFwdSm90Layout layout_of(const Problem& problem, const Config& config) {
  return layout_of(problem, consumers_of(config), config.at("BLOCK_N"), config.at("STAGES"),
                   config.at("PERSISTENT") != 0);
}

int output_columns(const Problem& problem) {
  return FlashFwdSm90Layout::output_columns(static_cast<int>(problem.head_dim_v));
}

// The output, scores, and the packed probabilities of the step before.
int fragments_of(const Problem& problem, int block_n) {
  return output_columns(problem) / 2 + block_n * 3 / 4;
}

// Of this kernel three consumers have room for a few more than others', whose movers keep fewer registers:
// measured (docs/learnt-forward-sm90.md).
int forward_fragment_limit(int consumers) {
  constexpr int kMoreOfThree = 4;
  return warpgroups::fragment_limit(consumers) + (consumers == 3 ? kMoreOfThree : 0);
}

constexpr int kSteps[] = {64, 80, 96, 112, 128, 144, 160, 176, 192, 208};

bool is_narrow(const Problem& problem) {
  return std::max(problem.head_dim, problem.head_dim_v) <= PanelTensor::kPanelColumns;
}

constexpr int kStepOfShortRows = 128;  // keys: the usual

// Of short rows, a step of more keys than usual is tried by two consumers, where it is the shortest that
// takes all keys: that keeps the space small.
bool is_tried(const Problem& problem, int consumers, int block_n) {
  if (!is_narrow(problem) || block_n <= kStepOfShortRows) return true;
  const int* shortest = std::ranges::lower_bound(kSteps, problem.seqlen_kv);
  return consumers == 2 && shortest != std::end(kSteps) && block_n == *shortest;
}

// The most keys a step of a persistent block may have: their fragments fit the registers of a consumer, two
// tiles in flight the shared memory.
int longest_step(const Problem& problem, const DeviceSpec& device, int consumers) {
  int longest = 0;
  for (const int block_n : kSteps) {
    const bool fits =
        fragments_of(problem, block_n) <= forward_fragment_limit(consumers) &&
        layout_of(problem, consumers, block_n, 2, true).shared_bytes() <= device.shared_per_block;
    if (fits && is_tried(problem, consumers, block_n)) longest = block_n;
  }
  return longest;
}

// For tiles of few steps, whose keys come from far: four short steps in flight.
bool has_many_in_flight(const Problem& problem, const Config& config) {
  if (config.at("PERSISTENT") == 0 || config.at("STAGES") != 4 || config.at("BLOCK_N") != 64) return false;
  const bool has_room = std::max(problem.head_dim, problem.head_dim_v) <= 2 * PanelTensor::kPanelColumns;
  return has_room && consumers_of(config) == (is_narrow(problem) ? 3 : 2);
}

class FlashFwdSm90 final : public Family {
 public:
  std::string_view name() const override { return "flash_fwd_sm90"; }
  std::string_view template_path() const override { return "flash_fwd_sm90.cuh"; }

  std::string inapplicable_reason(const Problem& problem, const DeviceSpec& device) const override {
    if (problem.operation != Operation::forward) return "computes the forward pass only";
    constexpr int64_t kColumns = 8;  // of a product, and 16 bytes of a row
    return flash::missing_warpgroups_reason(problem, device, kColumns);
  }

  ConfigSpace space(const Problem& problem, const DeviceSpec& device) const override {
    const bool narrow = is_narrow(problem);
    return ConfigSpace(
        {{"BLOCK_M", {64, 128, 192}, "query rows of a tile, 64 for each consumer warpgroup"},
         {"BLOCK_N", {std::begin(kSteps), std::end(kSteps)}, "keys of a step"},
         {"STAGES", {2, 3, 4}, "K and V tiles in flight"},
         {"TAKE_TURNS", {0, 1}, "consumers start their products one after the other"},
         {"PERSISTENT", {0, 1}, "a block computes several tiles"}},
        {{"fragments fit the registers of a consumer",
          [problem](const Config& config) {
            return fragments_of(problem, config.at("BLOCK_N")) <=
                   forward_fragment_limit(consumers_of(config));
          }},
         // The next ones keep the space small.
         {"one consumer is for few rows: steps of 64, 96 or 128 keys, two tiles in flight, one tile a block",
          [](const Config& config) {
            const int block_n = config.at("BLOCK_N");
            const bool is_step = block_n == 64 || block_n == 96 || block_n == 128;
            return consumers_of(config) > 1 || (is_step && config.at("STAGES") == 2 &&
                                                config.at("TAKE_TURNS") == 0 && config.at("PERSISTENT") == 0);
          }},
         {"steps are long (three consumers': the longest; two's: two thirds, of short rows 128), or short "
          "and many",
          [problem, narrow, longest_of_two = longest_step(problem, device, 2),
           longest_of_three = longest_step(problem, device, 3)](const Config& config) {
            const int block_n = config.at("BLOCK_N"), consumers = consumers_of(config);
            if (consumers == 1 || has_many_in_flight(problem, config)) return true;
            if (consumers == 3) return block_n == longest_of_three;
            return narrow ? block_n >= kStepOfShortRows : 3 * block_n >= 2 * longest_of_two;
          }},
         {"more than two tiles in flight are for short rows and steps, or for many short steps",
          [problem, narrow](const Config& config) {
            const int stages = config.at("STAGES");
            return stages == 2 || (stages == 3 && narrow && config.at("BLOCK_N") <= kStepOfShortRows) ||
                   has_many_in_flight(problem, config);
          }},
         {"of short rows, steps of more than 128 keys are two consumers' and take all keys",
          [problem](const Config& config) {
            return is_tried(problem, consumers_of(config), config.at("BLOCK_N"));
          }}});
  }

  ResourceUse resources(const Problem& problem, const Config& config) const override {
    const int consumers = consumers_of(config);
    return warpgroups::resources(consumers, layout_of(problem, config).shared_bytes(),
                                 FlashFwdSm90Layout::blocks(consumers, static_cast<int>(problem.head_dim_v)));
  }

  std::vector<Define> defines(const Problem& problem) const override { return flash::defines(problem); }

  double predicted_seconds(const Problem& problem, const Config& config, const DeviceSpec& device,
                           const BudgetVerdict& verdict) const override;

  LaunchShape launch_shape(const Problem& problem, const Config& config) const override {
    const FlashFwdSm90Layout layout = layout_of(problem, config);
    return {.threads = static_cast<uint32_t>(warpgroups::threads(consumers_of(config))),
            .shared_bytes = static_cast<uint32_t>(layout.shared_bytes()),
            .rows = config.at("BLOCK_M"),
            .box_rows = config.at("BLOCK_N"),
            .tensor_stores = layout.stages_output() || layout.shares_output(),
            .persistent = config.at("PERSISTENT") != 0,
            .begins_early = true};
  }

  bool pack(const Problem& problem, const LaunchShape& shape, const Arguments& arguments,
            Launch& launch) const override;

  // Threads copy rows that start anywhere, and no keys at all. The config is one of the fast ones for every
  // head dimension.
  std::optional<FamilyConfig> fallback(const Problem& problem, const Config&) const override {
    const bool is_long = std::max(problem.head_dim, problem.head_dim_v) > 128;
    return FamilyConfig{&flash_fwd_family(),
                        {{"BLOCK_M", is_long ? 64 : 128},
                         {"BLOCK_N", 64},
                         {"WARPS", 4},
                         {"STAGES", 1},
                         {"Q_IN_REGISTERS", 0},
                         {"KEEP_PLACES", 0},
                         {"TENSOR_COPIES", 0}}};
  }
};

double FlashFwdSm90::predicted_seconds(const Problem& problem, const Config& config, const DeviceSpec& device,
                                       const BudgetVerdict& verdict) const {
  const double block_m = config.at("BLOCK_M"), block_n = config.at("BLOCK_N");
  const double pairs = static_cast<double>(problem.seqlen_q) * static_cast<double>(problem.seqlen_kv);
  const double visible = pairs > 0 ? visible_pairs(problem) / pairs : 0;
  // Each consumer also computes the half-masked blocks at the boundary of its rows.
  const double steps = visible * static_cast<double>(problem.seqlen_kv) / block_n +
                       (problem.mask != Mask::none ? 0.5 * warpgroups::kRows / block_n + 0.5 : 0.5);
  // Products over columns go in steps of 16.
  const double columns = std::ceil(static_cast<double>(problem.head_dim) / 16) * 16 + output_columns(problem);
  const double products = block_m * block_n * columns / warpgroups::kProductsPerCycle;
  const double exponentials = block_m * block_n / 16;
  const double tiles = std::ceil(static_cast<double>(problem.seqlen_q) / block_m) *
                       static_cast<double>(problem.batch * problem.heads_q);
  const double waves = std::max(1.0, tiles / device.multiprocessors);
  // Exponentials of one consumer go on during the products of another, of its block or of a second block; a
  // consumer alone has only its own P · V meanwhile.
  const bool alone = consumers_of(config) == 1 && (verdict.blocks_per_multiprocessor == 1 || waves <= 1);
  const double exposed = alone ? 0.6 : consumers_of(config) == 3 ? 0.1 : 0.2;  // of the shorter of the two
  const double step_cycles =
      std::max(products, exponentials) + exposed * std::min(products, exponentials) + 100;
  // Before the first step a block waits for its copies; one that goes on has had them brought meanwhile, and
  // two on one multiprocessor wait at once.
  const double start_cycles = config.at("PERSISTENT") ? 1200 : 2500;
  const double tile_cycles =
      steps * step_cycles + start_cycles / (alone ? 1 : verdict.blocks_per_multiprocessor);
  // Where only one consumer has rows, time goes into bringing keys, and two smaller blocks bring more of
  // them.
  const double idle = problem.seqlen_q <= warpgroups::kRows && consumers_of(config) > 1 ? 2 : 1;
  return idle * (waves < 8 ? std::ceil(waves) : waves) * tile_cycles / device.clock_hz;
}

struct Tensors {
  FlashTensor q, k, v, o;
};

// Describes them to the copy engine; false when it cannot move them.
bool describe_tensors(FlashFwdSm90Params& params, const Tensors& tensors, const Problem& problem,
                      const LaunchShape& shape, const Arguments& arguments) {
  if (!shape.tensor_maps) return false;
  const auto describe = [&](TensorMap& map, const FlashTensor& tensor, int64_t heads, int64_t rows,
                            int64_t columns, int box_rows) {
    return flash::describe_panels(map, *shape.tensor_maps, problem.dtype, tensor,
                                  {arguments.batch, heads, rows, columns}, box_rows, PanelCopies::one);
  };
  return describe(params.q_map, tensors.q, problem.heads_q, arguments.seqlen_q, problem.head_dim,
                  warpgroups::kRows) &&
         describe(params.k_map, tensors.k, problem.heads_kv, arguments.seqlen_kv, problem.head_dim,
                  shape.box_rows) &&
         describe(params.v_map, tensors.v, problem.heads_kv, arguments.seqlen_kv, problem.head_dim_v,
                  shape.box_rows) &&
         (!shape.tensor_stores || describe(params.o_map, tensors.o, problem.heads_q, arguments.seqlen_q,
                                           problem.head_dim_v, warpgroups::kRows));
}

TilesToWalk tiles_of(const Problem& problem, const LaunchShape& shape, const Arguments& arguments) {
  // Of 50 MB of an H100, what FlashAttention-3 allots.
  constexpr int64_t kCachedBytes = int64_t{32} << 20;
  const int64_t head_bytes = arguments.seqlen_kv * (problem.head_dim + problem.head_dim_v) * 2;
  const int64_t kv_heads = std::max<int64_t>(1, kCachedBytes / std::max<int64_t>(1, head_bytes));
  return {.tiles_of_head = (arguments.seqlen_q + shape.rows - 1) / shape.rows,
          .heads_q = problem.heads_q,
          .batch = arguments.batch,
          .causal = problem.mask != Mask::none,
          .cached_heads = kv_heads * (problem.heads_q / problem.heads_kv)};
}

bool FlashFwdSm90::pack(const Problem& problem, const LaunchShape& shape, const Arguments& arguments,
                        Launch& launch) const {
  const int64_t batch = arguments.batch, nq = arguments.seqlen_q, nk = arguments.seqlen_kv;
  const size_t element = size_of(problem.dtype);
  const Tensors tensors{.q = flash::tensor_of(arguments.q, batch, problem.heads_q, nq),
                        .k = flash::tensor_of(arguments.k, batch, problem.heads_kv, nk),
                        .v = flash::tensor_of(arguments.v, batch, problem.heads_kv, nk),
                        .o = flash::tensor_of(arguments.o, batch, problem.heads_q, nq)};
  auto& params = launch.begin_parameters<FlashFwdSm90Params>();
  params.o = tensors.o;
  params.lse = arguments.lse;
  params.scale = static_cast<float>(arguments.scale);
  params.scale_log2 = static_cast<float>(arguments.scale * flash::kLog2E);
  params.heads_per_kv = divisor_of(problem.heads_q / problem.heads_kv);
  params.seqlen_q = static_cast<int>(nq);
  params.seqlen_kv = static_cast<int>(nk);
  params.diagonal = static_cast<int>(causal_diagonal(problem.mask, nq, nk));
  const TilesToWalk tiles = tiles_of(problem, shape, arguments);
  const uint32_t all_tiles = flash::blocks_of(tiles.tiles_of_head, problem.heads_q, batch);
  const bool persistent = shape.persistent && shape.multiprocessors > 0;
  uint32_t blocks =
      persistent ? std::min(all_tiles, static_cast<uint32_t>(shape.multiprocessors)) : all_tiles;
  if (blocks > 0 && shape.persistent) {  // it walks, whatever the number of its blocks
    params.walk = persistent_walk(tiles, blocks);
    blocks = params.walk.blocks;
  } else if (blocks > 0) {
    params.walk = single_walk(tiles);
  }
  flash::set_shape(launch, shape, blocks);
  flash::add_forward_regions(launch, problem, arguments);
  if (blocks == 0) return true;  // nobody asks

  constexpr unsigned kAll = 15;
  const unsigned aligned =
      flash::aligned_bit(tensors.q, element, 0) | flash::aligned_bit(tensors.k, element, 1) |
      flash::aligned_bit(tensors.v, element, 2) | flash::aligned_bit(tensors.o, element, 3);
  if (aligned != kAll) return false;
  // Every tile has a step, for which there must be keys.
  return nk > 0 && describe_tensors(params, tensors, problem, shape, arguments);
}

}  // namespace

const Family& flash_fwd_sm90_family() {
  static const FlashFwdSm90 kFamily;
  return kFamily;
}

}  // namespace attune

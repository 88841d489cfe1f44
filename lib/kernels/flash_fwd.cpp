// Host twin of kernel_templates/flash_fwd.cuh.
#include <algorithm>
#include <cmath>

#include "flash_fwd.layout.h"
#include "flash_fwd.params.h"
#include "kernels/families.h"
#include "kernels/flash.h"

namespace attune {
namespace {

FlashFwdLayout layout_of(const Problem& problem, const Config& config) {
  return {.element_bytes = static_cast<int>(size_of(problem.dtype)),
          .head_dim = static_cast<int>(problem.head_dim),
          .head_dim_v = static_cast<int>(problem.head_dim_v),
          .block_m = config.at("BLOCK_M"),
          .block_n = config.at("BLOCK_N"),
          .stages = config.at("STAGES"),
          .tensor_copies = config.at("TENSOR_COPIES") != 0,
          .tensor_products = flash::by_tensor_products(config)};
}

using Values = std::vector<int>;

// What the tunables can be for elements of a dtype. Wide elements take long rows: the largest need small
// tiles.
struct TunableValues {
  Values block_m, block_n, warps, stages, q_in_registers, keep_places;
};

TunableValues values_for(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return {{16, 64}, {16, 32}, {1, 4}, {1}, {0}, {0}};
    case DType::f32:
      return {{16, 64, 128}, {16, 32, 64, 128}, {1, 4, 8}, {1, 2}, {0}, {0}};
    default:
      return {{64, 128}, {32, 48, 64, 80, 96, 112, 128}, {2, 4, 8}, {1, 2}, {0, 1}, {0, 1}};
  }
}

class FlashFwd final : public Family {
 public:
  std::string_view name() const override { return "flash_fwd"; }
  std::string_view template_path() const override { return "flash_fwd.cuh"; }

  std::string inapplicable_reason(const Problem& problem, const DeviceSpec& device) const override {
    if (problem.operation != Operation::forward) return "computes the forward pass only";
    return flash::missing_products_reason(problem.dtype, device);
  }

  ConfigSpace space(const Problem& problem, const DeviceSpec& device) const override {
    const TunableValues values = values_for(problem.dtype);
    const bool wide = size_of(problem.dtype) > 2;
    const bool by_engine = flash::has_tensor_copies(problem, device);
    const bool by_warpgroups = flash::missing_warpgroups_reason(problem, device).empty();
    std::vector<Parameter> parameters = {
        {"BLOCK_M", values.block_m, "query rows of a block"},
        {"BLOCK_N", values.block_n, "keys of a step"},
        {"WARPS", values.warps, "warps of a block"},
        {"STAGES", values.stages, "K and V tiles in flight"},
        {"Q_IN_REGISTERS", values.q_in_registers, "Q fragments stay in registers"},
        {"KEEP_PLACES", values.keep_places, "places in K and V stay in registers"},
        {"TENSOR_COPIES", by_engine ? Values{0, 1} : Values{0}, "the copy engine brings K and V"}};
    if (problem.dtype == DType::f32) parameters.push_back(flash::tensor_products(device));
    return ConfigSpace(
        std::move(parameters),
        {{"a warp owns one or two fragments of 16 rows",
          [](const Config& config) {
            const int rows = config.at("BLOCK_M"), of_warps = 16 * config.at("WARPS");
            return rows == of_warps || rows == 2 * of_warps;
          }},
         // The next ones keep the space small; docs/learnt.md has the measurements.
         {"with a copy engine, one tile in flight, Q in shared memory and no places kept",
          [by_engine](const Config& config) {
            return !by_engine || (config.at("STAGES") == 1 && config.at("Q_IN_REGISTERS") == 0 &&
                                  config.at("KEEP_PLACES") == 0);
          }},
         {"where warpgroups can multiply: at most four warps, and threads that copy only for 64 rows of four",
          [by_warpgroups](const Config& config) {
            const bool smallest = config.at("BLOCK_M") == 64 && config.at("WARPS") == 4;
            return !by_warpgroups ||
                   (config.at("WARPS") <= 4 && (config.at("TENSOR_COPIES") == 1 || smallest));
          }},
         {"a second tile in flight is for four warps",
          [wide](const Config& config) {
            return wide || config.at("STAGES") == 1 || config.at("WARPS") == 4;
          }},
         {"Q in registers is for four warps, one tile in flight and short steps",
          [](const Config& config) {
            return config.at("Q_IN_REGISTERS") == 0 ||
                   (config.at("WARPS") == 4 && config.at("STAGES") == 1 && config.at("BLOCK_N") <= 64);
          }},
         {"places are kept by four warps, one tile in flight, Q in shared memory, steps of 48 or more",
          [](const Config& config) {
            return config.at("KEEP_PLACES") == 0 ||
                   (config.at("WARPS") == 4 && config.at("STAGES") == 1 && config.at("Q_IN_REGISTERS") == 0 &&
                    config.at("BLOCK_N") >= 48);
          }},
         {"16 rows and 16 keys go together, on devices with little shared memory", [](const Config& config) {
            const bool smallest = config.at("BLOCK_M") == 16 && config.at("STAGES") == 1;
            return (config.at("BLOCK_N") == 16) == (config.at("BLOCK_M") == 16) &&
                   (config.at("BLOCK_M") != 16 || smallest);
          }}});
  }

  ResourceUse resources(const Problem& problem, const Config& config) const override {
    const FlashFwdLayout layout = layout_of(problem, config);
    const int row_fragments = config.at("BLOCK_M") / (16 * config.at("WARPS"));
    const int scores = row_fragments * config.at("BLOCK_N") / 2;
    const int outputs = row_fragments * layout.padded_dim_v() / 2;
    const int queries = config.at("Q_IN_REGISTERS") ? row_fragments * layout.padded_dim() / 4 : 0;
    return {.shared_bytes = layout.shared_bytes(),
            .threads = 32 * config.at("WARPS"),
            .registers_per_thread = flash::registers_of(problem.dtype, scores + outputs + queries)};
  }

  std::vector<Define> defines(const Problem& problem) const override { return flash::defines(problem); }

  double predicted_seconds(const Problem& problem, const Config& config, const DeviceSpec& device,
                           const BudgetVerdict& verdict) const override;

  LaunchShape launch_shape(const Problem& problem, const Config& config) const override {
    return {.threads = static_cast<uint32_t>(32 * config.at("WARPS")),
            .shared_bytes = static_cast<uint32_t>(layout_of(problem, config).shared_bytes()),
            .rows = config.at("BLOCK_M"),
            .box_rows = config.at("TENSOR_COPIES") ? config.at("BLOCK_N") : 0};
  }

  bool pack(const Problem& problem, const LaunchShape& shape, const Arguments& arguments,
            Launch& launch) const override;

  // The copy engine brings rows that start on 16 bytes; threads bring any.
  std::optional<FamilyConfig> fallback(const Problem&, const Config& config) const override {
    if (config.at("TENSOR_COPIES") == 0) return std::nullopt;
    Config copied = config;
    copied.set("TENSOR_COPIES", 0);
    return FamilyConfig{this, std::move(copied)};
  }
};

// Clock cycles of a block for each resource, the largest of which bounds a full multiprocessor; what does not
// overlap is added in part. Constants are rough; the order of candidates is all that is asked of them.
double FlashFwd::predicted_seconds(const Problem& problem, const Config& config, const DeviceSpec& device,
                                   const BudgetVerdict& verdict) const {
  const double block_m = config.at("BLOCK_M");
  const double block_n = config.at("BLOCK_N");
  const FlashFwdLayout layout = layout_of(problem, config);
  const double dim = (layout.padded_dim() + layout.padded_dim_v()) / 2.0;
  const double element = static_cast<double>(size_of(problem.dtype));
  const double tiles = std::ceil(static_cast<double>(problem.seqlen_q) / block_m);
  const double pairs = static_cast<double>(problem.seqlen_q) * static_cast<double>(problem.seqlen_kv);
  const double visible = pairs > 0 ? visible_pairs(problem) / pairs : 0;
  // A causal tile also computes the half-masked blocks at its boundary.
  const double steps = visible * static_cast<double>(problem.seqlen_kv) / block_n +
                       (problem.mask != Mask::none ? 0.5 * block_m / block_n + 0.5 : 0.5);

  const double products = 2 * block_m * block_n * dim / flash::products_per_cycle(problem.dtype, config);
  const double exponentials = block_m * block_n / 16;
  const double shared_traffic = 2 * config.at("WARPS") * block_n * dim * element / 128;
  // Instructions by which threads copy K and V, of which four schedulers issue one each.
  const double copies = config.at("TENSOR_COPIES") ? 0 : 2 * block_n * dim * element / 16 / 32 * 6 / 4;
  const double overlap = verdict.blocks_per_multiprocessor > 1 ? 0.2 : 0.4;
  const double step_cycles = std::max({products, exponentials, shared_traffic}) +
                             overlap * (products + exponentials + shared_traffic) + copies +
                             (config.at("STAGES") == 1 ? 300.0 : 200.0) / verdict.blocks_per_multiprocessor;
  const double blocks = tiles * static_cast<double>(problem.batch * problem.heads_q);
  const double waves = std::max(1.0, blocks / device.multiprocessors);
  const double rounded = waves < 8 ? std::ceil(waves) : waves;
  return rounded * (steps * step_cycles + 1500) / device.clock_hz;
}

// Describes K and V to the copy engine; false when it cannot bring them.
bool describe_keys_and_values(FlashFwdParams& params, const Problem& problem, const LaunchShape& shape,
                              int64_t batch, int64_t rows) {
  constexpr unsigned kAlignedKeysAndValues = 6;
  if (rows == 0) return true;  // nobody asks
  if (!shape.tensor_maps || (params.aligned & kAlignedKeysAndValues) != kAlignedKeysAndValues) return false;
  const auto describe = [&](TensorMap& map, const FlashTensor& tensor, int64_t columns) {
    return flash::describe_panels(map, *shape.tensor_maps, problem.dtype, tensor,
                                  {batch, problem.heads_kv, rows, columns}, shape.box_rows);
  };
  return describe(params.k_map, params.k, problem.head_dim) &&
         describe(params.v_map, params.v, problem.head_dim_v);
}

bool FlashFwd::pack(const Problem& problem, const LaunchShape& shape, const Arguments& arguments,
                    Launch& launch) const {
  const int64_t batch = arguments.batch, nq = arguments.seqlen_q, nk = arguments.seqlen_kv;
  const int64_t q_tiles = (nq + shape.rows - 1) / shape.rows;
  const uint32_t blocks = flash::blocks_of(q_tiles, problem.heads_q, batch);
  const size_t element = size_of(problem.dtype);
  const FlashTensor q = flash::tensor_of(arguments.q, batch, problem.heads_q, nq);
  const FlashTensor k = flash::tensor_of(arguments.k, batch, problem.heads_kv, nk);
  const FlashTensor v = flash::tensor_of(arguments.v, batch, problem.heads_kv, nk);
  const FlashTensor o = flash::tensor_of(arguments.o, batch, problem.heads_q, nq);
  const auto aligned = [&](const FlashTensor& tensor, unsigned bit) {
    return flash::aligned_bit(tensor, element, bit);
  };
  auto& params = launch.begin_parameters<FlashFwdParams>();
  params.q = q;
  params.k = k;
  params.v = v;
  params.o = o;
  params.lse = arguments.lse;
  params.scale = static_cast<float>(arguments.scale);
  params.scale_log2 = static_cast<float>(arguments.scale * flash::kLog2E);
  params.scale_f64 = arguments.scale;
  params.scale_log2_f64 = arguments.scale * flash::kLog2E;
  params.heads_q = static_cast<int>(problem.heads_q);
  params.heads_per_kv = static_cast<int>(problem.heads_q / problem.heads_kv);
  params.seqlen_q = static_cast<int>(nq);
  params.seqlen_kv = static_cast<int>(nk);
  params.q_tiles = static_cast<int>(q_tiles);
  params.diagonal = static_cast<int>(causal_diagonal(problem.mask, nq, nk));
  params.aligned = aligned(q, 0) | aligned(k, 1) | aligned(v, 2) | aligned(o, 3);
  if (shape.box_rows > 0 && !describe_keys_and_values(params, problem, shape, batch, nk)) return false;
  flash::set_shape(launch, shape, blocks);
  flash::add_forward_regions(launch, problem, arguments);
  return true;
}

}  // namespace

const Family& flash_fwd_family() {
  static const FlashFwd kFamily;
  return kFamily;
}

}  // namespace attune

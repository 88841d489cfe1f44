// Host twin of kernel_templates/flash_bwd_dq.cuh.
#include "flash_bwd_dq.layout.h"

#include <algorithm>
#include <cmath>

#include "flash_bwd_dq.params.h"
#include "kernels/families.h"
#include "kernels/flash.h"
#include "kernels/flash_bwd.h"
#include "kernels/flash_bwd_launch.h"

namespace attune {
namespace {

FlashBwdDqLayout layout_of(const Problem& problem, const Config& config) {
  return {.element_bytes = static_cast<int>(size_of(problem.dtype)),
          .head_dim = static_cast<int>(problem.head_dim),
          .head_dim_v = static_cast<int>(problem.head_dim_v),
          .block_m = config.at("BLOCK_M"),
          .block_n = config.at("BLOCK_N"),
          .stages = config.at("STAGES"),
          .tensor_products = flash::by_tensor_products(config)};
}

int row_fragments(const Config& config) {
  return config.at("BLOCK_M") / (16 * config.at("WARPS"));
}

using Values = std::vector<int>;

// What the tunables can be for elements of a dtype.
struct TunableValues {
  Values block_m, block_n, warps, stages, queries_in_registers;
};

TunableValues values_for(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return {{16, 64}, {16, 32}, {1, 4}, {1}, {0}};
    case DType::f32:
      return {{16, 64, 128}, {16, 32, 64}, {1, 4, 8}, {1, 2}, {0}};
    default:
      return {{32, 64, 128}, {16, 32, 48, 64, 96, 128}, {2, 4, 8}, {1, 2}, {0, 1}};
  }
}

class FlashBwdDq final : public Family {
 public:
  std::string_view name() const override { return "flash_bwd_dq"; }
  std::string_view template_path() const override { return "flash_bwd_dq.cuh"; }

  std::string inapplicable_reason(const Problem& problem, const DeviceSpec& device) const override {
    return flash_bwd::inapplicable_reason(problem, Operation::backward_dq, device);
  }

  ConfigSpace space(const Problem& problem, const DeviceSpec& device) const override;

  ResourceUse resources(const Problem& problem, const Config& config) const override {
    const FlashBwdDqLayout layout = layout_of(problem, config);
    const int queries =
        config.at("QUERIES_IN_REGISTERS") ? (layout.padded_dim() + layout.padded_dim_v()) / 4 : 0;
    const int fragments = row_fragments(config) * (layout.padded_dim() / 2 + config.at("BLOCK_N") + queries);
    return {.shared_bytes = layout.shared_bytes(),
            .threads = 32 * config.at("WARPS"),
            .registers_per_thread = flash::registers_of(problem.dtype, fragments)};
  }

  std::vector<Define> defines(const Problem& problem) const override { return flash::defines(problem); }

  double predicted_seconds(const Problem& problem, const Config& config, const DeviceSpec& device,
                           const BudgetVerdict& verdict) const override;

  LaunchShape launch_shape(const Problem& problem, const Config& config) const override {
    return {.threads = static_cast<uint32_t>(32 * config.at("WARPS")),
            .shared_bytes = static_cast<uint32_t>(layout_of(problem, config).shared_bytes()),
            .rows = config.at("BLOCK_M")};
  }

  bool pack(const Problem& problem, const LaunchShape& shape, const Arguments& arguments,
            Launch& launch) const override;
};

ConfigSpace FlashBwdDq::space(const Problem& problem, const DeviceSpec& device) const {
  const TunableValues values = values_for(problem.dtype);
  const bool by_warpgroups = flash::missing_warpgroups_reason(problem, device).empty();
  const bool wide = size_of(problem.dtype) > 2;
  const int64_t longest = std::max(problem.head_dim, problem.head_dim_v);
  std::vector<Parameter> parameters = {
      {"BLOCK_M", values.block_m, "query rows of a block"},
      {"BLOCK_N", values.block_n, "keys of a step"},
      {"WARPS", values.warps, "warps of a block"},
      {"STAGES", values.stages, "K and V tiles in flight"},
      {"QUERIES_IN_REGISTERS", values.queries_in_registers, "fragments of Q and dO stay in registers"}};
  if (problem.dtype == DType::f32) parameters.push_back(flash::tensor_products(device));
  return ConfigSpace(
      std::move(parameters),
      {{"a warp owns one or two fragments of 16 rows",
        [](const Config& config) { return row_fragments(config) == 1 || row_fragments(config) == 2; }},
       {"two warps and steps of 16 are for long rows, on devices with little shared memory",
        [wide, longest](const Config& config) {
          if (wide) return true;
          const bool smallest = config.at("WARPS") == 2 && config.at("BLOCK_M") == 32 && longest > 160;
          return (config.at("WARPS") > 2 && config.at("BLOCK_N") > 16) ||
                 (smallest && config.at("BLOCK_N") <= 32);
        }},
       // Where warpgroup products do the same they never were the fastest; docs/learnt.md.
       {"queries in registers are for short rows and one fragment of them, without warpgroup products",
        [longest, by_warpgroups](const Config& config) {
          return config.at("QUERIES_IN_REGISTERS") == 0 ||
                 (longest <= 64 && row_fragments(config) == 1 && !by_warpgroups);
        }},
       {"16 rows and 16 keys go together, on devices with little shared memory",
        [wide](const Config& config) {
          if (!wide) return true;
          const bool smallest = config.at("BLOCK_M") == 16;
          return (config.at("BLOCK_N") == 16) == smallest && !(smallest && config.at("STAGES") > 1);
        }}});
}

double FlashBwdDq::predicted_seconds(const Problem& problem, const Config& config, const DeviceSpec& device,
                                     const BudgetVerdict& verdict) const {
  const double block_m = config.at("BLOCK_M"), block_n = config.at("BLOCK_N"), warps = config.at("WARPS");
  const FlashBwdDqLayout layout = layout_of(problem, config);
  const double columns = 2 * layout.padded_dim() + layout.padded_dim_v();  // of the three products
  const double fixed_columns = layout.padded_dim() + layout.padded_dim_v();
  const double element = static_cast<double>(size_of(problem.dtype));
  const double pairs = static_cast<double>(problem.seqlen_q) * static_cast<double>(problem.seqlen_kv);
  const double visible = pairs > 0 ? visible_pairs(problem) / pairs : 0;
  // A causal tile also computes the half-masked blocks at its boundary.
  const double steps = visible * static_cast<double>(problem.seqlen_kv) / block_n +
                       (problem.mask != Mask::none ? 0.5 * block_m / block_n + 0.5 : 0.5);
  const double fixed = config.at("QUERIES_IN_REGISTERS") ? 0 : block_m * fixed_columns;
  const flash_bwd::StepCost cost{.products = block_m * block_n * columns,
                                 .pairs = block_m * block_n,
                                 .shared_bytes = (warps * block_n * columns + fixed) * element,
                                 .stages = config.at("STAGES")};
  const double blocks = std::ceil(static_cast<double>(problem.seqlen_q) / block_m) *
                        static_cast<double>(problem.batch * problem.heads_q);
  return flash_bwd::launch_seconds(
      blocks, steps * flash_bwd::step_cycles(flash::products_per_cycle(problem.dtype, config), cost, verdict),
      device);
}

bool FlashBwdDq::pack(const Problem& problem, const LaunchShape& shape, const Arguments& arguments,
                      Launch& launch) const {
  launch.begin_parameters<FlashBwdDqParams>() = flash_bwd::dq_params(problem, shape, arguments);
  flash_bwd::set_dq_shape(launch, problem, shape, arguments);
  return true;
}

}  // namespace

const Family& flash_bwd_dq_family() {
  static const FlashBwdDq kFamily;
  return kFamily;
}

}  // namespace attune

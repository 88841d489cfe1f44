// Host twin of kernel_templates/flash_bwd_dkv.cuh.
#include "flash_bwd_dkv.layout.h"

#include <algorithm>
#include <cmath>

#include "flash_bwd_dkv.params.h"
#include "kernels/families.h"
#include "kernels/flash.h"
#include "kernels/flash_bwd.h"
#include "kernels/flash_bwd_launch.h"

namespace attune {
namespace {

FlashBwdDkvLayout layout_of(const Problem& problem, const Config& config) {
  return {.element_bytes = static_cast<int>(size_of(problem.dtype)),
          .head_dim = static_cast<int>(problem.head_dim),
          .head_dim_v = static_cast<int>(problem.head_dim_v),
          .block_m = config.at("BLOCK_M"),
          .block_n = config.at("BLOCK_N"),
          .stages = config.at("STAGES"),
          .tensor_products = flash::by_tensor_products(config)};
}

int key_fragments(const Config& config) {
  return config.at("BLOCK_N") / (16 * config.at("WARPS"));
}

using Values = std::vector<int>;

// What the tunables can be for elements of a dtype.
struct TunableValues {
  Values block_m, block_n, warps, stages, keys_in_registers;
};

TunableValues values_for(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return {{16, 32}, {16, 64}, {1, 4}, {1}, {0}};
    case DType::f32:
      return {{16, 32, 64}, {16, 64, 128}, {1, 4, 8}, {1, 2}, {0}};
    default:
      return {{16, 32, 64, 128}, {32, 64, 128}, {2, 4, 8}, {1, 2}, {0, 1}};
  }
}

class FlashBwdDkv final : public Family {
 public:
  std::string_view name() const override { return "flash_bwd_dkv"; }
  std::string_view template_path() const override { return "flash_bwd_dkv.cuh"; }

  std::string inapplicable_reason(const Problem& problem, const DeviceSpec& device) const override {
    return flash_bwd::inapplicable_reason(problem, Operation::backward_dkv, device);
  }

  ConfigSpace space(const Problem& problem, const DeviceSpec& device) const override;

  ResourceUse resources(const Problem& problem, const Config& config) const override {
    const FlashBwdDkvLayout layout = layout_of(problem, config);
    const int d = layout.padded_dim(), dv = layout.padded_dim_v();
    const int sums = (config.at("SEPARATE") ? std::max(d, dv) : d + dv) / 2;
    const int keys = config.at("KEYS_IN_REGISTERS") ? (d + dv) / 4 : 0;
    const int fragments = key_fragments(config) * (sums + config.at("BLOCK_M") + keys);
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
            .rows = config.at("BLOCK_N"),
            .parts = config.at("SEPARATE") ? 2 : 1};
  }

  bool pack(const Problem& problem, const LaunchShape& shape, const Arguments& arguments,
            Launch& launch) const override;
};

ConfigSpace FlashBwdDkv::space(const Problem& problem, const DeviceSpec& device) const {
  const TunableValues values = values_for(problem.dtype);
  const bool wide = size_of(problem.dtype) > 2;
  const int64_t longest = std::max(problem.head_dim, problem.head_dim_v);
  const int64_t both = problem.head_dim + problem.head_dim_v;
  std::vector<Parameter> parameters = {
      {"BLOCK_M", values.block_m, "query rows of a step"},
      {"BLOCK_N", values.block_n, "keys of a block"},
      {"WARPS", values.warps, "warps of a block"},
      {"STAGES", values.stages, "Q and dO tiles in flight"},
      {"KEYS_IN_REGISTERS", values.keys_in_registers, "fragments of K and V stay in registers"},
      {"SEPARATE", {0, 1}, "a block computes dK or dV"}};
  if (problem.dtype == DType::f32) parameters.push_back(flash::tensor_products(device));
  return ConfigSpace(
      std::move(parameters),
      {{"a warp owns one or two fragments of 16 keys",
        [](const Config& config) { return key_fragments(config) == 1 || key_fragments(config) == 2; }},
       {"sums are separate where both together take more than half of the registers",
        [both](const Config& config) { return config.at("SEPARATE") == (both > 256 ? 1 : 0); }},
       {"two warps are for long rows, on devices with little shared memory",
        [wide, longest](const Config& config) {
          return wide || config.at("WARPS") > 2 ||
                 (longest > 160 && config.at("BLOCK_N") == 32 && config.at("BLOCK_M") <= 32);
        }},
       {"keys in registers are for short rows and one fragment of keys",
        [longest](const Config& config) {
          return config.at("KEYS_IN_REGISTERS") == 0 || (longest <= 64 && key_fragments(config) == 1);
        }},
       {"16 keys and 16 queries go together, on devices with little shared memory",
        [wide](const Config& config) {
          if (!wide || config.at("BLOCK_N") != 16) return true;
          return config.at("BLOCK_M") == 16 && config.at("STAGES") == 1;
        }}});
}

double FlashBwdDkv::predicted_seconds(const Problem& problem, const Config& config, const DeviceSpec& device,
                                      const BudgetVerdict& verdict) const {
  const double block_m = config.at("BLOCK_M"), block_n = config.at("BLOCK_N"), warps = config.at("WARPS");
  const FlashBwdDkvLayout layout = layout_of(problem, config);
  const double columns = layout.padded_dim() + layout.padded_dim_v();
  const double element = static_cast<double>(size_of(problem.dtype));
  const double parts = config.at("SEPARATE") ? 2 : 1;
  const double work =
      config.at("SEPARATE") ? 1.25 : 2;  // columns of products, of a block, in units of `columns`
  const double pairs = static_cast<double>(problem.seqlen_q) * static_cast<double>(problem.seqlen_kv);
  const double visible = pairs > 0 ? visible_pairs(problem) / pairs : 0;
  const double group = static_cast<double>(problem.heads_q) / static_cast<double>(problem.heads_kv);
  // A block of keys also computes the half-masked tiles at its boundary.
  const double steps = group * (visible * static_cast<double>(problem.seqlen_q) / block_m +
                                (problem.mask != Mask::none ? 0.5 * block_n / block_m + 0.5 : 0.5));
  const double fixed = config.at("KEYS_IN_REGISTERS") ? 0 : block_n * columns;
  const flash_bwd::StepCost cost{.products = work * block_m * block_n * columns,
                                 .pairs = block_m * block_n,
                                 .shared_bytes = (warps * work * block_m * columns + fixed) * element,
                                 .stages = config.at("STAGES")};
  const double blocks = parts * std::ceil(static_cast<double>(problem.seqlen_kv) / block_n) *
                        static_cast<double>(problem.batch * problem.heads_kv);
  return flash_bwd::launch_seconds(
      blocks, steps * flash_bwd::step_cycles(flash::products_per_cycle(problem.dtype, config), cost, verdict),
      device);
}

bool FlashBwdDkv::pack(const Problem& problem, const LaunchShape& shape, const Arguments& arguments,
                       Launch& launch) const {
  launch.begin_parameters<FlashBwdDkvParams>() = flash_bwd::dkv_params(problem, shape, arguments);
  flash_bwd::set_dkv_shape(launch, problem, shape, arguments);
  return true;
}

}  // namespace

const Family& flash_bwd_dkv_family() {
  static const FlashBwdDkv kFamily;
  return kFamily;
}

}  // namespace attune

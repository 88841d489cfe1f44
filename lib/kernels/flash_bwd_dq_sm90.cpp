// Host twin of kernel_templates/flash_bwd_dq_sm90.cuh.
#include <algorithm>
#include <cmath>

#include "flash_bwd_dq_sm90.layout.h"
#include "flash_bwd_dq_sm90.params.h"
#include "kernels/families.h"
#include "kernels/flash.h"
#include "kernels/flash_bwd.h"
#include "kernels/flash_bwd_launch.h"
#include "kernels/warpgroups.h"

namespace attune {
namespace {

FlashBwdDqSm90Layout layout_of(const Problem& problem, const Config& config) {
  return {.head_dim = static_cast<int>(problem.head_dim),
          .head_dim_v = static_cast<int>(problem.head_dim_v),
          .block_m = config.at("BLOCK_M"),
          .block_n = config.at("BLOCK_N"),
          .stages = config.at("STAGES")};
}

int consumers_of(const Config& config) {
  return config.at("BLOCK_M") / warpgroups::kRows;
}

// The sum, scores and gradients; the packed operand takes the place of scores.
int fragments_of(const Problem& problem, const Config& config) {
  return static_cast<int>(problem.head_dim) / 2 + config.at("BLOCK_N");
}

class FlashBwdDqSm90 final : public Family {
 public:
  std::string_view name() const override { return "flash_bwd_dq_sm90"; }
  std::string_view template_path() const override { return "flash_bwd_dq_sm90.cuh"; }

  std::string inapplicable_reason(const Problem& problem, const DeviceSpec& device) const override {
    std::string reason = flash_bwd::inapplicable_reason(problem, Operation::backward_dq, device);
    return reason.empty() ? flash::missing_warpgroups_reason(problem, device) : reason;
  }

  ConfigSpace space(const Problem& problem, const DeviceSpec&) const override {
    return ConfigSpace({{"BLOCK_M", {128}, "query rows of a block, 64 for each consumer warpgroup"},
                        {"BLOCK_N", {32, 64, 96, 128}, "keys of a step"},
                        {"STAGES", {2, 3}, "K and V tiles in flight"}},
                       {{"fragments fit the registers of a consumer", [problem](const Config& config) {
                           return fragments_of(problem, config) <=
                                  warpgroups::fragment_limit(consumers_of(config));
                         }}});
  }

  ResourceUse resources(const Problem& problem, const Config& config) const override {
    return warpgroups::resources(consumers_of(config), layout_of(problem, config).shared_bytes());
  }

  std::vector<Define> defines(const Problem& problem) const override { return flash::defines(problem); }

  double predicted_seconds(const Problem& problem, const Config& config, const DeviceSpec& device,
                           const BudgetVerdict& verdict) const override;

  LaunchShape launch_shape(const Problem& problem, const Config& config) const override {
    return {.threads = static_cast<uint32_t>(warpgroups::threads(consumers_of(config))),
            .shared_bytes = static_cast<uint32_t>(layout_of(problem, config).shared_bytes()),
            .rows = config.at("BLOCK_M"),
            .box_rows = config.at("BLOCK_N")};
  }

  bool pack(const Problem& problem, const LaunchShape& shape, const Arguments& arguments,
            Launch& launch) const override {
    auto& params = launch.begin_parameters<FlashBwdDqSm90Params>();
    params.problem = flash_bwd::dq_params(problem, shape, arguments);
    flash_bwd::set_dq_shape(launch, problem, shape, arguments);
    return flash_bwd::describe_inputs({params.q_map, params.dout_map, params.k_map, params.v_map},
                                      {.queries = static_cast<int>(shape.rows), .keys = shape.box_rows},
                                      problem, shape.tensor_maps, arguments, params.problem.aligned);
  }

  // Threads copy rows that start anywhere. The config is one of the fast ones for every head dimension.
  std::optional<FamilyConfig> fallback(const Problem& problem, const Config&) const override {
    const bool is_long = std::max(problem.head_dim, problem.head_dim_v) > 128;
    return FamilyConfig{&flash_bwd_dq_family(),
                        {{"BLOCK_M", 64},
                         {"BLOCK_N", is_long ? 48 : 64},
                         {"WARPS", 4},
                         {"STAGES", is_long ? 1 : 2},
                         {"QUERIES_IN_REGISTERS", 0}}};
  }
};

double FlashBwdDqSm90::predicted_seconds(const Problem& problem, const Config& config,
                                         const DeviceSpec& device, const BudgetVerdict&) const {
  const double block_m = config.at("BLOCK_M"), block_n = config.at("BLOCK_N");
  const auto columns = static_cast<double>(2 * problem.head_dim + problem.head_dim_v);
  const double pairs = static_cast<double>(problem.seqlen_q) * static_cast<double>(problem.seqlen_kv);
  const double visible = pairs > 0 ? visible_pairs(problem) / pairs : 0;
  const double steps = visible * static_cast<double>(problem.seqlen_kv) / block_n +
                       (problem.mask != Mask::none ? 0.5 * block_m / block_n + 0.5 : 0.5);
  const double products = block_m * block_n * columns / warpgroups::kProductsPerCycle;
  // Each consumer waits for its products once a step.
  const double cycles = products + 0.4 * block_m * block_n / 16 + 250;
  const double blocks = std::ceil(static_cast<double>(problem.seqlen_q) / block_m) *
                        static_cast<double>(problem.batch * problem.heads_q);
  return flash_bwd::launch_seconds(blocks, steps * cycles, device);
}

}  // namespace

const Family& flash_bwd_dq_sm90_family() {
  static const FlashBwdDqSm90 kFamily;
  return kFamily;
}

}  // namespace attune

// Host twin of kernel_templates/flash_bwd_dkv_sm90.cuh.
#include <algorithm>
#include <cmath>

#include "flash_bwd_dkv_sm90.layout.h"
#include "flash_bwd_dkv_sm90.params.h"
#include "kernels/families.h"
#include "kernels/flash.h"
#include "kernels/flash_bwd.h"
#include "kernels/flash_bwd_launch.h"
#include "kernels/warpgroups.h"

namespace attune {
namespace {

FlashBwdDkvSm90Layout layout_of(const Problem& problem, const Config& config) {
  return {.head_dim = static_cast<int>(problem.head_dim),
          .head_dim_v = static_cast<int>(problem.head_dim_v),
          .block_m = config.at("BLOCK_M"),
          .block_n = config.at("BLOCK_N"),
          .stages = config.at("STAGES")};
}

int consumers_of(const Config& config) {
  return config.at("BLOCK_N") / warpgroups::kRows;
}

// Sums, scores and gradients, and the packed operand of which they become.
int fragments_of(const Problem& problem, const Config& config) {
  const auto d = static_cast<int>(problem.head_dim), dv = static_cast<int>(problem.head_dim_v);
  const int sums = (config.at("SEPARATE") ? std::max(d, dv) : d + dv) / 2;
  return sums + config.at("BLOCK_M") + config.at("BLOCK_M") / 4;
}

class FlashBwdDkvSm90 final : public Family {
 public:
  std::string_view name() const override { return "flash_bwd_dkv_sm90"; }
  std::string_view template_path() const override { return "flash_bwd_dkv_sm90.cuh"; }

  std::string inapplicable_reason(const Problem& problem, const DeviceSpec& device) const override {
    std::string reason = flash_bwd::inapplicable_reason(problem, Operation::backward_dkv, device);
    return reason.empty() ? flash::missing_warpgroups_reason(problem, device) : reason;
  }

  ConfigSpace space(const Problem& problem, const DeviceSpec&) const override {
    const int64_t both = problem.head_dim + problem.head_dim_v;
    // One slot in a ring lost to two on every problem recorded; docs/learnt.md.
    return ConfigSpace(
        {{"BLOCK_M", {32, 64}, "query rows of a step"},
         {"BLOCK_N", {128, 192}, "keys of a block, 64 for each consumer warpgroup"},
         {"STAGES", {2, 3}, "Q and dO tiles in flight"},
         {"SEPARATE", {0, 1}, "a block computes dK or dV"}},
        {{"sums are separate where both together take more than half of the registers",
          [both](const Config& config) { return config.at("SEPARATE") == (both > 256 ? 1 : 0); }},
         {"fragments fit the registers of a consumer", [problem](const Config& config) {
            return fragments_of(problem, config) <= warpgroups::fragment_limit(consumers_of(config));
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
            .rows = config.at("BLOCK_N"),
            .parts = config.at("SEPARATE") ? 2 : 1,
            .box_rows = config.at("BLOCK_M")};
  }

  bool pack(const Problem& problem, const LaunchShape& shape, const Arguments& arguments,
            Launch& launch) const override {
    auto& params = launch.begin_parameters<FlashBwdDkvSm90Params>();
    params.problem = flash_bwd::dkv_params(problem, shape, arguments);
    flash_bwd::set_dkv_shape(launch, problem, shape, arguments);
    return flash_bwd::describe_inputs({params.q_map, params.dout_map, params.k_map, params.v_map},
                                      {.queries = shape.box_rows, .keys = static_cast<int>(shape.rows)},
                                      problem, shape.tensor_maps, arguments, params.problem.aligned);
  }

  // Threads copy rows that start anywhere. The config is one of the fast ones for every head dimension.
  std::optional<FamilyConfig> fallback(const Problem& problem, const Config&) const override {
    const bool is_long = problem.head_dim + problem.head_dim_v > 256;
    return FamilyConfig{&flash_bwd_dkv_family(),
                        {{"BLOCK_M", 64},
                         {"BLOCK_N", is_long ? 128 : 64},
                         {"WARPS", is_long ? 8 : 4},
                         {"STAGES", is_long ? 1 : 2},
                         {"KEYS_IN_REGISTERS", 0},
                         {"SEPARATE", is_long ? 1 : 0}}};
  }
};

double FlashBwdDkvSm90::predicted_seconds(const Problem& problem, const Config& config,
                                          const DeviceSpec& device, const BudgetVerdict&) const {
  const double block_m = config.at("BLOCK_M"), block_n = config.at("BLOCK_N");
  const auto columns = static_cast<double>(problem.head_dim + problem.head_dim_v);
  const double parts = config.at("SEPARATE") ? 2 : 1;
  // Columns of products of a block, in units of `columns`: of both parts 2.5, shared out.
  const double work = config.at("SEPARATE") ? 1.25 : 2;
  const double pairs = static_cast<double>(problem.seqlen_q) * static_cast<double>(problem.seqlen_kv);
  const double visible = pairs > 0 ? visible_pairs(problem) / pairs : 0;
  const double group = static_cast<double>(problem.heads_q) / static_cast<double>(problem.heads_kv);
  const double steps = group * (visible * static_cast<double>(problem.seqlen_q) / block_m +
                                (problem.mask != Mask::none ? 0.5 * block_n / block_m + 0.5 : 0.5));
  const double products = work * block_m * block_n * columns / warpgroups::kProductsPerCycle;
  // Each consumer waits for its products once a step.
  const double cycles = products + 0.4 * block_m * block_n / 16 + 250;
  const double blocks = parts * std::ceil(static_cast<double>(problem.seqlen_kv) / block_n) *
                        static_cast<double>(problem.batch * problem.heads_kv);
  return flash_bwd::launch_seconds(blocks, steps * cycles, device);
}

}  // namespace

const Family& flash_bwd_dkv_sm90_family() {
  static const FlashBwdDkvSm90 kFamily;
  return kFamily;
}

}  // namespace attune

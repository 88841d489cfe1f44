// Host twin of kernel_templates/flash_bwd_delta.cuh.
#include "flash_bwd_delta.layout.h"

#include "attention/row_terms.layout.h"
#include "flash_bwd_delta.params.h"
#include "kernels/families.h"
#include "kernels/flash.h"
#include "kernels/flash_bwd.h"

namespace attune {
namespace {

FlashBwdDeltaLayout layout_of(const Config& config) {
  return {.warps = config.at("WARPS")};
}

class FlashBwdDelta final : public Family {
 public:
  std::string_view name() const override { return "flash_bwd_delta"; }
  std::string_view template_path() const override { return "flash_bwd_delta.cuh"; }

  std::string inapplicable_reason(const Problem& problem, const DeviceSpec& device) const override {
    return flash_bwd::inapplicable_reason(problem, Operation::backward_delta, device);
  }

  ConfigSpace space(const Problem&, const DeviceSpec&) const override {
    return ConfigSpace({{"WARPS", {2, 4, 8, 16}, "warps of a block, eight rows each"}}, {});
  }

  ResourceUse resources(const Problem&, const Config& config) const override {
    return {.shared_bytes = layout_of(config).shared_bytes(),
            .threads = 32 * config.at("WARPS"),
            .registers_per_thread = 48};
  }

  std::vector<Define> defines(const Problem& problem) const override {
    return {{"ELEMENT", flash::element_name(problem.dtype)},
            {"ELEMENT_BYTES", std::to_string(size_of(problem.dtype))},
            {"HEAD_DIM_V", std::to_string(problem.head_dim_v)}};
  }

  // The memory is the bound, whatever the config; short launches want small blocks, long ones fewer of them.
  double predicted_seconds(const Problem& problem, const Config& config, const DeviceSpec& device,
                           const BudgetVerdict&) const override {
    const double blocks = static_cast<double>(problem.batch * problem.heads_q) *
                          static_cast<double>(RowTermsLayout::padded_rows(problem.seqlen_q)) /
                          layout_of(config).rows();
    constexpr double kBytesPerSecondAndMultiprocessor = 2e10;
    return 2e-6 + minimum_bytes(problem) / (kBytesPerSecondAndMultiprocessor * device.multiprocessors) +
           blocks * 1e-10 + config.at("WARPS") * 1e-8;
  }

  LaunchShape launch_shape(const Problem&, const Config& config) const override {
    return {.threads = static_cast<uint32_t>(32 * config.at("WARPS")),
            .shared_bytes = static_cast<uint32_t>(layout_of(config).shared_bytes()),
            .rows = layout_of(config).rows()};
  }

  bool pack(const Problem& problem, const LaunchShape& shape, const Arguments& arguments,
            Launch& launch) const override;
};

bool FlashBwdDelta::pack(const Problem& problem, const LaunchShape& shape, const Arguments& arguments,
                         Launch& launch) const {
  const GradientArguments& gradients = *arguments.gradients;
  const int64_t batch = arguments.batch, heads = problem.heads_q, nq = arguments.seqlen_q;
  const int64_t padded_rows = RowTermsLayout::padded_rows(nq), tiles = padded_rows / shape.rows;
  const size_t element = size_of(problem.dtype);
  const FlashTensor o = flash::tensor_of(arguments.o, batch, heads, nq);
  const FlashTensor dout = flash::tensor_of(gradients.dout, batch, heads, nq);
  launch.begin_parameters<FlashBwdDeltaParams>() = {
      .o = o,
      .dout = dout,
      .lse = arguments.lse,
      .dlse = gradients.dlse,
      .row_terms = gradients.row_terms,
      .heads_q = static_cast<int>(heads),
      .seqlen_q = static_cast<int>(nq),
      .padded_rows = static_cast<int>(padded_rows),
      .q_tiles = static_cast<int>(tiles),
      .aligned = flash::aligned_bit(o, element, 0) | flash::aligned_bit(dout, element, 1)};
  flash::set_shape(launch, shape, flash::blocks_of(tiles, heads, batch));

  flash::add_region(launch, arguments.o, batch, heads, nq, problem.head_dim_v, element);
  flash::add_region(launch, gradients.dout, batch, heads, nq, problem.head_dim_v, element);
  const size_t statistics =
      static_cast<size_t>(batch * heads * nq) * size_of(statistics_dtype(problem.dtype));
  launch.add_region(arguments.lse, statistics);
  if (gradients.dlse) launch.add_region(gradients.dlse, statistics);
  launch.add_region(gradients.row_terms, flash_bwd::row_terms_bytes(problem, batch, nq));
  return true;
}

}  // namespace

const Family& flash_bwd_delta_family() {
  static const FlashBwdDelta kFamily;
  return kFamily;
}

}  // namespace attune

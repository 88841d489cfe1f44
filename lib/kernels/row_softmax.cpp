// Host twin of kernel_templates/row_softmax.cuh. docs/add-a-kernel.md walks through it.
#include <cstring>

#include "kernels/families.h"
#include "row_softmax.layout.h"
#include "row_softmax.params.h"

namespace attune {
namespace {

int64_t rows_of(const Problem& problem) {
  return problem.batch * problem.heads_q * problem.seqlen_q;
}

RowSoftmaxLayout layout_of(const Config& config) {
  return {.warps = config.at("WARPS"), .rows_per_block = config.at("ROWS_PER_BLOCK")};
}

class RowSoftmax final : public Family {
 public:
  std::string_view name() const override { return "row_softmax"; }
  std::string_view template_path() const override { return "row_softmax.cuh"; }

  std::string inapplicable_reason(const Problem& problem, const DeviceSpec&) const override {
    return problem.operation == Operation::row_softmax ? "" : "computes row_softmax only";
  }

  ConfigSpace space(const Problem&, const DeviceSpec&) const override {
    return ConfigSpace({{"WARPS", {1, 2, 4, 8}, "warps of a block"},
                        {"ROWS_PER_BLOCK", {1, 2, 4}, "rows a block takes, one after the other"}},
                       {});
  }

  ResourceUse resources(const Problem&, const Config& config) const override {
    return {.shared_bytes = layout_of(config).shared_bytes(),
            .threads = 32 * config.at("WARPS"),
            .registers_per_thread = 56};
  }

  std::vector<Define> defines(const Problem&) const override { return {}; }

  double predicted_seconds(const Problem& problem, const Config& config, const DeviceSpec& device,
                           const BudgetVerdict& verdict) const override {
    // Memory-bound when the device is full; a block's start-up costs about a microsecond.
    const double blocks = static_cast<double>(rows_of(problem)) / config.at("ROWS_PER_BLOCK");
    const double resident = static_cast<double>(device.multiprocessors) * verdict.blocks_per_multiprocessor;
    return minimum_bytes(problem) / device.memory_bytes_per_second + 1e-6 * (blocks / resident + 1);
  }

  LaunchShape launch_shape(const Problem&, const Config& config) const override {
    return {.threads = static_cast<uint32_t>(32 * config.at("WARPS")),
            .shared_bytes = static_cast<uint32_t>(layout_of(config).shared_bytes()),
            .rows = config.at("ROWS_PER_BLOCK")};
  }

  bool pack(const Problem& problem, const LaunchShape& shape, const Arguments& arguments,
            Launch& launch) const override {
    const int64_t rows = arguments.batch * problem.heads_q * arguments.seqlen_q;
    const RowSoftmaxParams params{.input = static_cast<const float*>(arguments.q.data),
                                  .output = static_cast<float*>(arguments.o.data),
                                  .rows = rows,
                                  .row_stride = arguments.q.stride[2],
                                  .columns = static_cast<int>(arguments.seqlen_kv)};
    launch.region_count = 0;
    launch.grid = static_cast<uint32_t>((rows + shape.rows - 1) / shape.rows);
    launch.block = shape.threads;
    launch.shared_bytes = shape.shared_bytes;
    launch.parameter_bytes = sizeof(params);
    static_assert(sizeof(params) <= Launch::kMaxParameterBytes);
    std::memcpy(launch.parameters.data(), &params, sizeof(params));
    const int64_t elements = rows == 0 ? 0 : (rows - 1) * params.row_stride + params.columns;
    const size_t bytes = static_cast<size_t>(elements) * sizeof(float);
    launch.add_region(params.input, bytes);
    launch.add_region(params.output, bytes);
    return true;
  }
};

}  // namespace

const Family& row_softmax_family() {
  static const RowSoftmax kFamily;
  return kFamily;
}

}  // namespace attune

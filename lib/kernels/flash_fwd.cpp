// Host twin of kernel_templates/flash_fwd.cuh.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "flash_fwd.layout.h"
#include "flash_fwd.params.h"
#include "kernels/families.h"

namespace attune {
namespace {

constexpr double kLog2E = 1.4426950408889634;

FlashFwdLayout layout_of(const Problem& problem, const Config& config) {
  return {.element_bytes = static_cast<int>(size_of(problem.dtype)),
          .head_dim = static_cast<int>(problem.head_dim),
          .block_m = config.at("BLOCK_M"),
          .block_n = config.at("BLOCK_N"),
          .stages = config.at("STAGES")};
}

FlashTensor tensor_of(const TensorView& view) {
  return {view.data, view.stride[0], view.stride[1], view.stride[2]};
}

// Bytes from the tensor's first element to the end of its last: what the kernel may touch.
size_t extent(const TensorView& view, int64_t batch, int64_t heads, int64_t rows, int64_t columns,
              size_t element) {
  if (batch == 0 || heads == 0 || rows == 0) return 0;
  return static_cast<size_t>((batch - 1) * view.stride[0] + (heads - 1) * view.stride[1] +
                             (rows - 1) * view.stride[2] + columns) *
         element;
}

std::string_view element_name(DType dtype) {
  return dtype == DType::f32 ? "float" : name_of(dtype);
}

class FlashFwd final : public Family {
 public:
  std::string_view name() const override { return "flash_fwd"; }
  std::string_view template_path() const override { return "flash_fwd.cuh"; }

  std::string inapplicable_reason(const Problem& problem, const DeviceSpec& device) const override {
    if (problem.operation != Operation::forward) return "computes the forward pass only";
    if (problem.dtype != DType::f32 && device.compute_capability() < 80) {
      return fmt::format("{} needs compute capability 8.0, the device has {}.{}", name_of(problem.dtype),
                         device.compute_major, device.compute_minor);
    }
    return {};
  }

  ConfigSpace space(const Problem& problem, const DeviceSpec&) const override {
    using Values = std::vector<int>;
    const bool wide =
        problem.dtype == DType::f32;  // f32 rows are twice as long, and the largest need small tiles
    return ConfigSpace(
        {{"BLOCK_M", wide ? Values{16, 64, 128} : Values{64, 128}, "query rows of a block"},
         {"BLOCK_N", wide ? Values{16, 32, 64, 128} : Values{32, 64, 128}, "keys of a step"},
         {"WARPS", wide ? Values{1, 4, 8} : Values{4, 8}, "warps of a block"},
         {"STAGES", {1, 2}, "K and V tiles in flight"},
         {"Q_IN_REGISTERS", wide ? Values{0} : Values{0, 1}, "Q fragments stay in registers"}},
        {{"a warp owns one or two fragments of 16 rows",
          [](const Config& config) {
            const int rows = config.at("BLOCK_M"), of_warps = 16 * config.at("WARPS");
            return rows == of_warps || rows == 2 * of_warps;
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
    const int outputs = row_fragments * layout.padded_dim() / 2;
    const int queries = config.at("Q_IN_REGISTERS") ? row_fragments * layout.padded_dim() / 4 : 0;
    // Addresses, statistics and operands in flight: 56 to 90 beside the fragments, as compiled for sm_80 and
    // sm_90a.
    constexpr int kOverhead = 56;
    return {.shared_bytes = layout.shared_bytes(),
            .threads = 32 * config.at("WARPS"),
            .registers_per_thread = scores + outputs + queries + kOverhead};
  }

  std::vector<Define> defines(const Problem& problem) const override {
    return {{"ELEMENT", std::string(element_name(problem.dtype))},
            {"ELEMENT_BYTES", std::to_string(size_of(problem.dtype))},
            {"HEAD_DIM", std::to_string(problem.head_dim)},
            {"CAUSAL_MASK", problem.mask == Mask::causal ? "1" : "0"}};
  }

  double predicted_seconds(const Problem& problem, const Config& config, const DeviceSpec& device,
                           const BudgetVerdict& verdict) const override;

  void pack(const Problem& problem, const Config& config, const Arguments& arguments,
            Launch& launch) const override;
};

// Clock cycles of a block for each resource, the largest of which bounds a full multiprocessor; what does not
// overlap is added in part. Constants are rough; the order of candidates is all that is asked of them.
double FlashFwd::predicted_seconds(const Problem& problem, const Config& config, const DeviceSpec& device,
                                   const BudgetVerdict& verdict) const {
  const double block_m = config.at("BLOCK_M");
  const double block_n = config.at("BLOCK_N");
  const double dim = layout_of(problem, config).padded_dim();
  const double element = static_cast<double>(size_of(problem.dtype));
  const double tiles = std::ceil(static_cast<double>(problem.seqlen_q) / block_m);
  const double pairs = static_cast<double>(problem.seqlen_q) * static_cast<double>(problem.seqlen_kv);
  const double visible = pairs > 0 ? visible_pairs(problem) / pairs : 0;
  // A causal tile also computes the half-masked blocks at its boundary.
  const double steps = visible * static_cast<double>(problem.seqlen_kv) / block_n +
                       (problem.mask == Mask::causal ? 0.5 * block_m / block_n + 0.5 : 0.5);

  const double products_per_cycle = problem.dtype == DType::f32 ? 128 : 1024;
  const double products = 2 * block_m * block_n * dim / products_per_cycle;
  const double exponentials = block_m * block_n / 16;
  const double shared_traffic = 2 * config.at("WARPS") * block_n * dim * element / 128;
  const double overlap = verdict.blocks_per_multiprocessor > 1 ? 0.2 : 0.4;
  const double step_cycles = std::max({products, exponentials, shared_traffic}) +
                             overlap * (products + exponentials + shared_traffic) +
                             (config.at("STAGES") == 1 ? 300.0 : 200.0) / verdict.blocks_per_multiprocessor;
  const double blocks = tiles * static_cast<double>(problem.batch * problem.heads_q);
  const double waves = std::max(1.0, blocks / device.multiprocessors);
  const double rounded = waves < 8 ? std::ceil(waves) : waves;
  return rounded * (steps * step_cycles + 1500) / device.clock_hz;
}

void FlashFwd::pack(const Problem& problem, const Config& config, const Arguments& arguments,
                    Launch& launch) const {
  const FlashFwdLayout layout = layout_of(problem, config);
  const int64_t q_tiles = (arguments.seqlen_q + layout.block_m - 1) / layout.block_m;
  const int64_t blocks = q_tiles * problem.heads_q * arguments.batch;
  if (blocks > INT32_MAX) {
    fail(ATTUNE_ERROR_UNSUPPORTED, "{} tiles x {} heads x {} sequences are more than {} blocks", q_tiles,
         problem.heads_q, arguments.batch, INT32_MAX);
  }
  const FlashFwdParams params{.q = tensor_of(arguments.q),
                              .k = tensor_of(arguments.k),
                              .v = tensor_of(arguments.v),
                              .o = tensor_of(arguments.o),
                              .lse = arguments.lse,
                              .heads_q = static_cast<int>(problem.heads_q),
                              .heads_per_kv = static_cast<int>(problem.heads_q / problem.heads_kv),
                              .seqlen_q = static_cast<int>(arguments.seqlen_q),
                              .seqlen_kv = static_cast<int>(arguments.seqlen_kv),
                              .q_tiles = static_cast<int>(q_tiles),
                              .scale = arguments.scale,
                              .scale_log2 = static_cast<float>(arguments.scale * kLog2E)};
  static_assert(sizeof(params) <= Launch::kMaxParameterBytes);
  launch = Launch{};
  launch.grid = static_cast<uint32_t>(blocks);
  launch.block = 32 * config.at("WARPS");
  launch.shared_bytes = layout.shared_bytes();
  launch.parameter_bytes = sizeof(params);
  std::memcpy(launch.parameters.data(), &params, sizeof(params));

  const size_t element = size_of(problem.dtype);
  const int64_t batch = arguments.batch;
  launch.add_region(arguments.q.data, extent(arguments.q, batch, problem.heads_q, arguments.seqlen_q,
                                             problem.head_dim, element));
  launch.add_region(arguments.k.data, extent(arguments.k, batch, problem.heads_kv, arguments.seqlen_kv,
                                             problem.head_dim, element));
  launch.add_region(arguments.v.data, extent(arguments.v, batch, problem.heads_kv, arguments.seqlen_kv,
                                             problem.head_dim_v, element));
  launch.add_region(arguments.o.data, extent(arguments.o, batch, problem.heads_q, arguments.seqlen_q,
                                             problem.head_dim_v, element));
  if (arguments.lse) {
    launch.add_region(arguments.lse,
                      static_cast<size_t>(batch * problem.heads_q * arguments.seqlen_q) * sizeof(float));
  }
}

}  // namespace

const Family& flash_fwd_family() {
  static const FlashFwd kFamily;
  return kFamily;
}

}  // namespace attune

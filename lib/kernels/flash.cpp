#include "kernels/flash.h"

#include <algorithm>

#include "base/error.h"

namespace attune::flash {

uint32_t blocks_of(int64_t tiles, int64_t heads, int64_t batch) {
  const int64_t blocks = tiles * heads * batch;
  if (blocks > INT32_MAX) {
    fail(ATTUNE_ERROR_UNSUPPORTED, "{} tiles x {} heads x {} sequences are more than {} blocks", tiles, heads,
         batch, INT32_MAX);
  }
  return static_cast<uint32_t>(blocks);
}

void add_forward_regions(Launch& launch, const Problem& problem, const Arguments& arguments) {
  const size_t element = size_of(problem.dtype);
  const auto add = [&](const TensorView& view, int64_t heads, int64_t rows, int64_t columns) {
    add_region(launch, view, arguments.batch, heads, rows, columns, element);
  };
  add(arguments.q, problem.heads_q, arguments.seqlen_q, problem.head_dim);
  add(arguments.k, problem.heads_kv, arguments.seqlen_kv, problem.head_dim);
  add(arguments.v, problem.heads_kv, arguments.seqlen_kv, problem.head_dim_v);
  add(arguments.o, problem.heads_q, arguments.seqlen_q, problem.head_dim_v);
  if (arguments.lse) {
    launch.add_region(arguments.lse,
                      static_cast<size_t>(arguments.batch * problem.heads_q * arguments.seqlen_q) *
                          size_of(statistics_dtype(problem.dtype)));
  }
}

std::string missing_products_reason(DType dtype, const DeviceSpec& device) {
  // f16 has matrix products since Turing, bf16 since Ampere.
  const int needed = dtype == DType::f16 ? 75 : dtype == DType::bf16 ? 80 : 0;
  if (device.compute_capability() >= needed) return {};
  return fmt::format("{} needs compute capability {}.{}, the device has {}.{}", name_of(dtype), needed / 10,
                     needed % 10, device.compute_major, device.compute_minor);
}

bool has_tensor_copies(const Problem& problem, const DeviceSpec& device) {
  return device.compute_capability() >= 90 && size_of(problem.dtype) == 2 &&
         problem.head_dim % PanelTensor::kPanelColumns == 0 &&
         problem.head_dim_v % PanelTensor::kPanelColumns == 0;
}

std::string missing_warpgroups_reason(const Problem& problem, const DeviceSpec& device, int64_t unit) {
  if (device.arch == "sm_90a" && size_of(problem.dtype) == 2 && problem.head_dim % unit == 0 &&
      problem.head_dim_v % unit == 0)
    return {};
  return fmt::format(
      "needs sm_90a, 16-bit elements and head dimensions that are multiples of {}: there are {}, {}, {} and "
      "{}",
      unit, device.arch, name_of(problem.dtype), problem.head_dim, problem.head_dim_v);
}

bool describe_panels(TensorMap& map, const TensorMapEncoder& encoder, DType dtype, const FlashTensor& tensor,
                     const std::array<int64_t, 4>& shape, int box_rows, PanelCopies copies) {
  return encoder.encode(map, {.data = tensor.data,
                              .dtype = dtype,
                              .batch = shape[0],
                              .heads = shape[1],
                              .rows = shape[2],
                              .columns = shape[3],
                              .row_stride = tensor.row_stride,
                              .head_stride = tensor.head_stride,
                              .batch_stride = tensor.batch_stride,
                              .box_rows = box_rows,
                              .copies = copies});
}

std::string element_name(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "float";
    case DType::f64:
      return "double";
    default:
      return std::string(name_of(dtype));
  }
}

std::vector<Define> defines(const Problem& problem) {
  return {{"ELEMENT", element_name(problem.dtype)},
          {"ELEMENT_BYTES", std::to_string(size_of(problem.dtype))},
          {"HEAD_DIM", std::to_string(problem.head_dim)},
          {"HEAD_DIM_V", std::to_string(problem.head_dim_v)},
          {"CAUSAL_MASK", problem.mask == Mask::none ? "0" : "1"}};
}

Parameter tensor_products(const DeviceSpec& device) {
  return {"TENSOR_PRODUCTS", device.compute_capability() >= 80 ? std::vector<int>{0, 1} : std::vector<int>{0},
          "products on tensor cores, three of TF32 for one of f32"};
}

bool by_tensor_products(const Config& config) {
  return config.find("TENSOR_PRODUCTS").value_or(0) != 0;
}

double products_per_cycle(DType dtype, const Config& config) {
  switch (dtype) {
    case DType::f64:
      return 64;
    case DType::f32:
      return by_tensor_products(config) ? 200 : 128;
    default:
      return 1024;
  }
}

int registers_of(DType dtype, int fragments) {
  // Addresses, statistics or row terms, and operands in flight: 56 to 90 beside the fragments of flash_fwd,
  // as compiled for sm_80 and sm_90a.
  constexpr int kOverhead = 56;
  // NOTE: f64 rows beyond that go to local memory: slow, and right. f64 is asked for its digits.
  constexpr int kMostF64 = 200;
  if (dtype == DType::f64) return std::min(2 * fragments + kOverhead, kMostF64);
  return fragments + kOverhead;
}

}  // namespace attune::flash

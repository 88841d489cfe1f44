#include "kernels/flash_bwd.h"

#include <algorithm>
#include <cmath>

#include "attention/row_terms.layout.h"
#include "base/error.h"

namespace attune::flash_bwd {

FlashTensor tensor_of(const TensorView& view, int64_t batch, int64_t heads, int64_t rows) {
  const auto stride = [&](size_t axis, int64_t count) { return count > 1 ? view.stride[axis] : 0; };
  return {view.data, stride(0, batch), stride(1, heads), stride(2, rows)};
}

unsigned aligned_bit(const FlashTensor& tensor, size_t element, unsigned bit) {
  constexpr uint64_t kVector = 16;
  const auto is_multiple = [&](int64_t stride) {
    return static_cast<uint64_t>(stride) * element % kVector == 0;
  };
  const bool aligned = reinterpret_cast<uintptr_t>(tensor.data) % kVector == 0 &&
                       is_multiple(tensor.batch_stride) && is_multiple(tensor.head_stride) &&
                       is_multiple(tensor.row_stride);
  return aligned ? bit : 0;
}

void add_region(Launch& launch, const TensorView& view, int64_t batch, int64_t heads, int64_t rows,
                int64_t columns, size_t element) {
  if (!view.data || batch == 0 || heads == 0 || rows == 0) return;
  const int64_t elements =
      (batch - 1) * view.stride[0] + (heads - 1) * view.stride[1] + (rows - 1) * view.stride[2] + columns;
  launch.add_region(view.data, static_cast<size_t>(elements) * element);
}

size_t row_terms_bytes(const Problem& problem, int64_t batch, int64_t seqlen_q) {
  return static_cast<size_t>(RowTermsLayout::bytes(
      batch * problem.heads_q, seqlen_q, static_cast<int>(size_of(statistics_dtype(problem.dtype)))));
}

std::string inapplicable_reason(const Problem& problem, Operation operation, const DeviceSpec& device) {
  if (problem.operation != operation) return fmt::format("computes {} only", name_of(operation));
  // f16 has matrix products since Turing, bf16 since Ampere.
  const int needed = problem.dtype == DType::f16 ? 75 : problem.dtype == DType::bf16 ? 80 : 0;
  if (device.compute_capability() >= needed) return {};
  return fmt::format("{} needs compute capability {}.{}, the device has {}.{}", name_of(problem.dtype),
                     needed / 10, needed % 10, device.compute_major, device.compute_minor);
}

std::vector<Define> defines(const Problem& problem) {
  const std::string_view element = problem.dtype == DType::f32   ? "float"
                                   : problem.dtype == DType::f64 ? "double"
                                                                 : name_of(problem.dtype);
  return {{"ELEMENT", std::string(element)},
          {"ELEMENT_BYTES", std::to_string(size_of(problem.dtype))},
          {"HEAD_DIM", std::to_string(problem.head_dim)},
          {"HEAD_DIM_V", std::to_string(problem.head_dim_v)},
          {"CAUSAL_MASK", problem.mask == Mask::none ? "0" : "1"}};
}

uint32_t blocks_of(int64_t parts, int64_t tiles, int64_t heads, int64_t batch) {
  const int64_t blocks = parts * tiles * heads * batch;
  if (blocks > INT32_MAX) {
    fail(ATTUNE_ERROR_UNSUPPORTED, "{} tiles x {} heads x {} sequences are more than {} blocks",
         parts * tiles, heads, batch, INT32_MAX);
  }
  return static_cast<uint32_t>(blocks);
}

int registers_of(const Problem& problem, int fragments) {
  constexpr int kOverhead = 56;
  // NOTE: f64 rows beyond that go to local memory: slow, and right. f64 is asked for its digits.
  constexpr int kMostF64 = 200;
  if (problem.dtype == DType::f64) return std::min(2 * fragments + kOverhead, kMostF64);
  return fragments + kOverhead;
}

double step_cycles(const Problem& problem, const StepCost& cost, const BudgetVerdict& verdict) {
  const double products_per_cycle = problem.dtype == DType::f64   ? 64
                                    : problem.dtype == DType::f32 ? 128
                                                                  : 1024;
  const double products = cost.products / products_per_cycle;
  const double exponentials = cost.pairs / 16;
  const double shared_traffic = cost.shared_bytes / 128;
  const double overlap = verdict.blocks_per_multiprocessor > 1 ? 0.2 : 0.4;
  // With one tile in flight, every step waits for its copies, unless another block runs meanwhile.
  return std::max({products, exponentials, shared_traffic}) +
         overlap * (products + exponentials + shared_traffic) +
         (cost.stages == 1 ? 900.0 : 200.0) / verdict.blocks_per_multiprocessor;
}

double launch_seconds(double blocks, double cycles, const DeviceSpec& device) {
  const double waves = std::max(1.0, blocks / device.multiprocessors);
  return (waves < 8 ? std::ceil(waves) : waves) * (cycles + 1500) / device.clock_hz;
}

}  // namespace attune::flash_bwd

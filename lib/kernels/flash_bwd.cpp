#include "kernels/flash_bwd.h"

#include <algorithm>
#include <cmath>

#include "attention/row_terms.layout.h"
#include "base/error.h"
#include "kernels/flash.h"

namespace attune::flash_bwd {

size_t row_terms_bytes(const Problem& problem, int64_t batch, int64_t seqlen_q) {
  return static_cast<size_t>(RowTermsLayout::bytes(
      batch * problem.heads_q, seqlen_q, static_cast<int>(size_of(statistics_dtype(problem.dtype)))));
}

std::string inapplicable_reason(const Problem& problem, Operation operation, const DeviceSpec& device) {
  if (problem.operation != operation) return fmt::format("computes {} only", name_of(operation));
  return flash::missing_products_reason(problem.dtype, device);
}

double step_cycles(double products_per_cycle, const StepCost& cost, const BudgetVerdict& verdict) {
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

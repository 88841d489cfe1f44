#include "reference/row_softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace attune {
namespace {

void softmax_in_place(double* row, int64_t columns) {
  const double maximum = *std::max_element(row, row + columns);
  double sum = 0;
  for (int64_t j = 0; j < columns; ++j)
    sum += row[j] = std::exp(row[j] - maximum);
  for (int64_t j = 0; j < columns; ++j)
    row[j] /= sum;
}

}  // namespace

std::vector<double> reference_row_softmax(const HostTensor& x) {
  std::vector<double> y = x.to_doubles();
  if (y.empty()) return y;
  const int64_t rows = x.element_count() / x.columns();
  for (int64_t row = 0; row < rows; ++row)
    softmax_in_place(y.data() + row * x.columns(), x.columns());
  return y;
}

Comparison compare_row_softmax(const HostTensor& y, const std::vector<double>& reference) {
  const std::vector<double> values = y.to_doubles();
  if (values.size() != reference.size()) {
    fail(ATTUNE_ERROR_INTERNAL, "row_softmax: {} values against {}", values.size(), reference.size());
  }
  Comparison result;
  for (size_t i = 0; i < values.size(); ++i) {
    double error = std::fabs(values[i] - reference[i]);
    if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
    const double tolerance = 1e-6 + 1e-5 * reference[i];
    result.max_abs_error = std::max(result.max_abs_error, error);
    if (error / tolerance <= result.worst_ratio) continue;
    result.worst_ratio = error / tolerance;
    result.ok = result.worst_ratio <= 1;
    if (result.ok) continue;
    const auto row = static_cast<int64_t>(i) / y.columns();
    result.reason =
        fmt::format("y batch {} head {} row {} column {}: got {}, reference {}, error {:.3g} > {:.3g}",
                    row / y.rows() / y.heads(), row / y.rows() % y.heads(), row % y.rows(),
                    static_cast<int64_t>(i) % y.columns(), values[i], reference[i], error, tolerance);
  }
  return result;
}

}  // namespace attune

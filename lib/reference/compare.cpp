#include "reference/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/parallel.h"
#include "reference/element.h"

namespace attune {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Nothing wrong with a tolerance of 0 when the error is 0 too. Not a number counts as infinitely wrong, and
// so does an infinite tolerance, which would let anything pass: then the yardstick itself has overflowed.
double ratio_of(double error, double tolerance) {
  if (!std::isfinite(tolerance)) return kInfinity;
  if (error == 0) return 0;
  const double ratio = error / tolerance;
  return std::isnan(ratio) ? kInfinity : ratio;
}

double not_nan(double error) {
  return std::isnan(error) ? kInfinity : error;
}

// What the rule needs to know of one tile.
struct TileErrors {
  double out_max = 0;
  double out_squares = 0;
  int64_t worst_row = 0;
  int64_t worst_column = 0;
  double worst_value = 0;
  double naive_max = 0;
  double naive_rms = 0;
  double round_max = 0;  // of rounding the reference to the dtype
  double reference_max = 0;
  double reference_squares = 0;
  double logit_magnitude = 0;  // largest of the tile's rows
  double terms = 0;            // likewise
  int64_t elements = 0;

  double rms(double squares) const {
    return elements == 0 ? 0 : std::sqrt(squares / static_cast<double>(elements));
  }
};

struct Tile {
  int64_t batch = 0;
  int64_t head = 0;
  int64_t begin = 0;  // rows
  int64_t end = 0;
};

TileErrors errors_of(const HostTensor& out, const Tile& tile, const double* reference) {
  TileErrors errors;
  std::vector<double> row_values(static_cast<size_t>(out.columns()));
  for (int64_t row = tile.begin; row < tile.end; ++row) {
    out.read_row(tile.batch, tile.head, row, row_values.data());
    for (int64_t column = 0; column < out.columns(); ++column, ++reference, ++errors.elements) {
      const double value = row_values[static_cast<size_t>(column)];
      const double error = not_nan(std::fabs(value - *reference));
      if (error > errors.out_max) {
        errors.out_max = error;
        errors.worst_row = row;
        errors.worst_column = column;
        errors.worst_value = value;
      }
      errors.out_squares += error * error;
      errors.round_max =
          std::max(errors.round_max, std::fabs(round_to(out.dtype(), *reference) - *reference));
      errors.reference_max = std::max(errors.reference_max, std::fabs(*reference));
      errors.reference_squares += *reference * *reference;
    }
  }
  return errors;
}

// Measures the tile by what naive missed in these elements, if that is more than it is measured by so far.
void measure(TileErrors& errors, std::span<const double> reference, std::span<const double> naive) {
  double squares = 0;
  for (size_t i = 0; i < naive.size(); ++i) {
    const double error = not_nan(std::fabs(naive[i] - reference[i]));
    errors.naive_max = std::max(errors.naive_max, error);
    squares += error * error;
  }
  if (!naive.empty())
    errors.naive_rms = std::max(errors.naive_rms, std::sqrt(squares / static_cast<double>(naive.size())));
}

Comparison judge(std::string_view what, const Tile& tile, const char* rule, double error, double tolerance,
                 const TileErrors& errors) {
  Comparison result;
  result.worst_ratio = ratio_of(error, tolerance);
  result.ok = result.worst_ratio <= 1;
  result.max_abs_error = errors.out_max;
  if (!result.ok) {
    result.reason = fmt::format(
        "{} batch {} head {} rows {}..{}: {} error {:.4g} > {:.4g}; worst at row {} column {}, got {:.6g}",
        what, tile.batch, tile.head, tile.begin, tile.end - 1, rule, error, tolerance, errors.worst_row,
        errors.worst_column, errors.worst_value);
  }
  return result;
}

Comparison compare_tile(std::string_view what, const HostTensor& out, const Tile& tile, TileErrors errors,
                        double factor) {
  if (out.dtype() == DType::f64) {
    return judge(what, tile, "max", errors.out_max, 1e-12 * errors.reference_max + 0x1p-51 * errors.terms,
                 errors);
  }
  if (out.dtype() == DType::f32) {
    const double of_logits = 0x1p-22 * errors.logit_magnitude * errors.reference_max;
    return judge(what, tile, "max", errors.out_max,
                 4 * errors.naive_max + 1e-6 * errors.reference_max + of_logits + 0x1p-22 * errors.terms,
                 errors);
  }
  const double half_ulp = 0.5 * ulp_at(out.dtype(), errors.rms(errors.reference_squares));
  return worse_of(judge(what, tile, "max", errors.out_max,
                        factor * errors.naive_max + 2 * errors.round_max + 0x1p-22 * errors.terms, errors),
                  judge(what, tile, "rms", errors.rms(errors.out_squares),
                        factor * errors.naive_rms + half_ulp + 0x1p-24 * errors.terms, errors));
}

}  // namespace

Comparison worse_of(const Comparison& a, const Comparison& b) {
  Comparison result = b.worst_ratio > a.worst_ratio ? b : a;
  result.max_abs_error = std::max(a.max_abs_error, b.max_abs_error);
  return result;
}

Comparison compare_tiles(std::string_view what, const HostTensor& out, std::span<const double> reference,
                         std::span<const double> naive, double factor,
                         std::span<const double> logit_magnitude, std::span<const double> terms) {
  if (std::ssize(reference) != out.element_count() || std::ssize(naive) != out.element_count()) {
    fail(ATTUNE_ERROR_INTERNAL, "compare {}: {} values, {} of the reference, {} naive", what,
         out.element_count(), reference.size(), naive.size());
  }
  const int64_t tiles_of_head = (out.rows() + kCompareTileRows - 1) / kCompareTileRows;
  std::vector<Comparison> results(static_cast<size_t>(out.batch() * out.heads() * tiles_of_head));
  parallel_for(std::ssize(results), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t head = i / tiles_of_head;
      Tile tile{head / out.heads(), head % out.heads(), i % tiles_of_head * kCompareTileRows, 0};
      tile.end = std::min(tile.begin + kCompareTileRows, out.rows());
      const int64_t first_row = head * out.rows() + tile.begin;
      TileErrors errors = errors_of(out, tile, reference.data() + first_row * out.columns());
      const auto measure_by = [&](int64_t first, int64_t last) {  // rows of the head
        const auto start = static_cast<size_t>((head * out.rows() + first) * out.columns());
        const auto count = static_cast<size_t>((last - first) * out.columns());
        measure(errors, reference.subspan(start, count), naive.subspan(start, count));
      };
      measure_by(tile.begin, tile.end);
      const int64_t before = std::max<int64_t>(0, tile.end - kCompareTileRows);
      if (before < tile.begin) measure_by(before, tile.end);
      const auto largest = [&](std::span<const double> of_rows) {
        if (of_rows.empty()) return 0.0;
        const auto first_of_tile = of_rows.begin() + first_row;
        return *std::max_element(first_of_tile, first_of_tile + (tile.end - tile.begin));
      };
      errors.logit_magnitude = largest(logit_magnitude);
      errors.terms = largest(terms);
      results[static_cast<size_t>(i)] = compare_tile(what, out, tile, errors, factor);
    }
  });
  Comparison worst;
  for (const Comparison& result : results)
    worst = worse_of(worst, result);  // in order: the first of equals is told
  return worst;
}

Comparison compare_lse(std::span<const double> lse, const AttentionResult& reference, DType dtype) {
  if (lse.size() != reference.lse.size() || lse.size() != reference.logit_magnitude.size()) {
    fail(ATTUNE_ERROR_INTERNAL, "compare lse: {} values, {} of the reference", lse.size(),
         reference.lse.size());
  }
  Comparison result;
  for (size_t i = 0; i < lse.size(); ++i) {
    const double expected = reference.lse[i];
    const double got = lse[i];
    const double error =
        got == expected ? 0 : not_nan(std::fabs(got - expected));  // equal infinities differ by NaN
    const double magnitude = reference.logit_magnitude[i];
    const double tolerance = dtype == DType::f64 ? 1e-12 + 0x1p-48 * magnitude : 1e-5 + 0x1p-20 * magnitude;
    result.max_abs_error = std::max(result.max_abs_error, error);
    const double ratio = ratio_of(error, tolerance);
    if (ratio <= result.worst_ratio) continue;
    result.worst_ratio = ratio;
    result.ok = ratio <= 1;
    if (result.ok) continue;
    const auto row = static_cast<int64_t>(i);
    result.reason =
        fmt::format("lse batch {} head {} row {}: got {:.9g}, reference {:.9g}, error {:.4g} > {:.4g}",
                    row / reference.dims[2] / reference.dims[1], row / reference.dims[2] % reference.dims[1],
                    row % reference.dims[2], got, expected, error, tolerance);
  }
  return result;
}

Comparison compare_attention(const HostTensor& o, std::span<const double> lse,
                             const AttentionResult& reference, const AttentionResult& naive, double factor) {
  if (o.dims() != reference.dims || o.dims() != naive.dims) {
    fail(ATTUNE_ERROR_INTERNAL,
         "compare attention: o, the reference and the yardstick have different shapes");
  }
  const Comparison output = compare_tiles("o", o, reference.o, naive.o, factor, reference.logit_magnitude);
  return lse.empty() ? output : worse_of(output, compare_lse(lse, reference, o.dtype()));
}

}  // namespace attune

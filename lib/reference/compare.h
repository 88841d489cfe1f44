// The acceptance rule of "Correct means": whether a result is as near to the reference as a plain kernel's
// would be.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "reference/attention.h"
#include "reference/tensor.h"

namespace attune {

// Rows of a head that are judged together. A rule over the whole tensor would let a kernel lose a key in half
// its rows.
constexpr int64_t kCompareTileRows = 64;

struct Comparison {
  bool ok = true;
  double worst_ratio =
      0;               // max of error / tolerance over all rules and tiles; infinite for NaN; ok while <= 1
  std::string reason;  // where, the error and the tolerance of the worst ratio; empty when ok
  double max_abs_error = 0;  // infinite when something is NaN
};

// The one of the greater ratio, with the greater of the absolute errors.
Comparison worse_of(const Comparison& a, const Comparison& b);

// An output or a gradient against the reference, tile by tile. `reference` and `naive` are [batch, head, row,
// column] contiguous; naive holds values of out's dtype. `factor` is 2, or 3 with softcap. `what` names the
// tensor in the reason.
//   f16, bf16: max|out-ref| <= factor·max|naive-ref| + 2·max|round(ref)-ref| + 2^-22·max terms  and
//              rms(out-ref) <= factor·rms(naive-ref) + half an ulp at rms(ref) + 2^-24·max terms
//   f32:       max|out-ref| <= 4·max|naive-ref| + (1e-6 + 2^-22·max logit_magnitude)·max|ref| +
//                              2^-22·max terms
//   f64:       max|out-ref| <= 1e-12·max|ref| + 2^-51·max terms
// The last tile of a head may have few rows, which are few draws of the noise: its naive errors are those of
// the 64 rows that end with it, if these are larger. The errors of `out` are always the tile's own.
// `logit_magnitude` and `terms` are [batch, head, row], and 0 where they are empty. The largest naive error
// of a tile is often one draw of the noise, and four times that no bound for another: rows whose logits are
// in the hundreds are judged by what rounding a dot product of that size costs, and results of which terms
// much larger than them take each other away, as dP - delta does in a gradient, by the size of the terms.
// A maximum may be four roundings of that size and an rms one, in the precision of the sums. 16-bit dtypes
// round logits no better, and take no account of them.
// NaN never passes; an infinity passes never, since no finite input gives one.
Comparison compare_tiles(std::string_view what, const HostTensor& out, std::span<const double> reference,
                         std::span<const double> naive, double factor = 2,
                         std::span<const double> logit_magnitude = {}, std::span<const double> terms = {});

// Both tensors of attention forward: o as above, and lse ([batch, head, row] contiguous) by
//   |lse - ref| <= 1e-5 + 2^-20·logit_magnitude (f64: 1e-12 + 2^-48·logit_magnitude),
// with -inf exactly where the reference has it.
// `factor` as above. An empty `lse` is not compared.
Comparison compare_attention(const HostTensor& o, std::span<const double> lse,
                             const AttentionResult& reference, const AttentionResult& naive,
                             double factor = 2);
Comparison compare_lse(std::span<const double> lse, const AttentionResult& reference,
                       DType dtype = DType::f32);

}  // namespace attune

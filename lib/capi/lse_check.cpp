#include "capi/lse_check.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "reference/element.h"

namespace attune {
namespace {

constexpr int64_t kSamples = 8;

// Rows of one head of a tensor, on the host.
class HostRows {
 public:
  HostRows(Backend& backend, const TensorView& view, DType dtype, int64_t batch, int64_t head,
           int64_t first_row, int64_t rows, int64_t columns)
      : dtype_(dtype), row_bytes_(view.stride[2] * element()) {
    if (rows == 0) return;
    bytes_.resize(static_cast<size_t>((rows - 1) * row_bytes_ + columns * element()));
    const int64_t offset = batch * view.stride[0] + head * view.stride[1] + first_row * view.stride[2];
    backend.copy(bytes_.data(), static_cast<const std::byte*>(view.data) + offset * element(), bytes_.size());
  }
  double at(int64_t row, int64_t column) const {
    return load_element(dtype_, bytes_.data() + row * row_bytes_ + column * element());
  }

 private:
  int64_t element() const { return static_cast<int64_t>(size_of(dtype_)); }

  DType dtype_;
  int64_t row_bytes_;
  std::vector<std::byte> bytes_;
};

struct Expected {
  double lse = -std::numeric_limits<double>::infinity();
  double magnitude = 0;  // max over the keys of scale · Σ|q·k|
};

Expected lse_of(const HostRows& q, const HostRows& k, int64_t keys, int64_t columns, double scale) {
  std::vector<double> logits;
  Expected expected;
  for (int64_t key = 0; key < keys; ++key) {
    double logit = 0, magnitude = 0;
    for (int64_t column = 0; column < columns; ++column) {
      const double product = q.at(0, column) * k.at(key, column) * scale;
      logit += product;
      magnitude += std::fabs(product);
    }
    logits.push_back(logit);
    expected.magnitude = std::max(expected.magnitude, magnitude);
  }
  if (logits.empty()) return expected;
  const double maximum = *std::ranges::max_element(logits);
  double sum = 0;
  for (const double logit : logits)
    sum += std::exp(logit - maximum);
  expected.lse = maximum + std::log(sum);
  return expected;
}

// NOTE: wider than what forward promises: the LSE may come from another library. One of another scale, mask
// or base is off by far more.
double tolerance_of(DType dtype, double magnitude) {
  return dtype == DType::f64 ? 1e-9 + 0x1p-40 * magnitude : 1e-3 + 0x1p-16 * magnitude;
}

int64_t visible_keys(const Problem& capacity, const Arguments& arguments, int64_t row) {
  const int64_t keys = arguments.seqlen_kv;
  if (capacity.mask == Mask::none) return keys;
  return std::clamp<int64_t>(row + 1 + causal_diagonal(capacity.mask, arguments.seqlen_q, keys), 0, keys);
}

}  // namespace

std::string find_wrong_lse(const Problem& capacity, const Arguments& arguments, Backend& backend,
                           Stream stream, const Log& log) {
  const int64_t nq = arguments.seqlen_q, rows = arguments.batch * capacity.heads_q * nq;
  if (rows == 0) return {};
  if (backend.is_capturing(stream)) {
    log.warning("ATTUNE_CHECK: lse is not looked at while the stream is being captured");
    return {};
  }
  backend.synchronize(stream);
  const DType statistics = statistics_dtype(capacity.dtype);
  const auto element = static_cast<int64_t>(size_of(statistics));
  const int64_t samples = std::min(kSamples, rows);
  for (int64_t sample = 0; sample < samples; ++sample) {
    const int64_t index =
        samples == 1 ? 0 : sample * (rows - 1) / (samples - 1);  // the first and the last, too
    const int64_t batch = index / nq / capacity.heads_q, head = index / nq % capacity.heads_q,
                  row = index % nq;
    const int64_t keys = visible_keys(capacity, arguments, row), d = capacity.head_dim;
    const int64_t kv_head = head / (capacity.heads_q / capacity.heads_kv);
    const HostRows q(backend, arguments.q, capacity.dtype, batch, head, row, 1, d);
    const HostRows k(backend, arguments.k, capacity.dtype, batch, kv_head, 0, keys, d);
    const Expected expected = lse_of(q, k, keys, d, arguments.scale);
    double given = 0;
    backend.copy(&given, static_cast<const std::byte*>(arguments.lse) + index * element,
                 static_cast<size_t>(element));
    given = load_element(statistics, &given);
    const bool equal = given == expected.lse ||
                       std::fabs(given - expected.lse) <= tolerance_of(capacity.dtype, expected.magnitude);
    if (equal) continue;
    return fmt::format(
        "lse of batch {} head {} row {} is {:.9g}, but q, k, scale and mask give {:.9g}: it is not that of "
        "the "
        "forward pass (row {} of {} that were looked at)",
        batch, head, row, given, expected.lse, sample + 1, samples);
  }
  return {};
}

}  // namespace attune

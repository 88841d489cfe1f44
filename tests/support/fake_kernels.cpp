#include "support/fake_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <vector>

#include "flash_fwd.params.h"
#include "reference/element.h"
#include "row_softmax.params.h"

namespace attune {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

template <typename Params>
Params params_of(const Launch& launch) {
  if (launch.parameter_bytes != sizeof(Params)) throw std::logic_error("fake kernel: wrong parameter_bytes");
  Params params;
  std::memcpy(&params, launch.parameters.data(), sizeof(params));
  return params;
}

DType dtype_of(const std::string& element) {
  if (element == "f16") return DType::f16;
  if (element == "bf16") return DType::bf16;
  if (element == "float") return DType::f32;
  throw std::logic_error("fake kernel: ELEMENT " + element);
}

// The row that is computed in place of `row`.
int64_t source_row(int64_t row, int64_t rows, Fault fault) {
  const bool is_swapped = fault == Fault::swaps_two_rows && row >= rows - 2 && rows >= 2;
  return is_swapped ? 2 * rows - 3 - row : row;
}

class FlashFwdRun {
 public:
  FlashFwdRun(const Constants& constants, const Launch& launch, Fault fault)
      : params_(params_of<FlashFwdParams>(launch)),
        dtype_(dtype_of(constants.at("ELEMENT"))),
        dim_(std::stoll(constants.at("HEAD_DIM"))),
        causal_(constants.at("CAUSAL_MASK") == "1"),
        batch_(int64_t{launch.grid} / params_.q_tiles / params_.heads_q),
        scale_(params_.scale * (fault == Fault::scale_off_by_1_percent ? 1.01 : 1)),
        fault_(fault) {}

  void run() const {
    for (int64_t batch = 0; batch < batch_; ++batch) {
      for (int64_t head = 0; head < params_.heads_q; ++head)
        run_head(batch, head);
    }
    if (fault_ == Fault::writes_beside_o) {
      std::memset(element(params_.o, batch_ - 1, params_.heads_q - 1, params_.seqlen_q - 1) + dim_ * size(),
                  0, size());
    }
    if (fault_ == Fault::writes_beside_lse) lse_values()[batch_ * params_.heads_q * params_.seqlen_q] = 0;
    if (fault_ == Fault::lse_off) lse_values()[batch_ * params_.heads_q * params_.seqlen_q - 1] += 0.01f;
  }

 private:
  float* lse_values() const { return static_cast<float*>(params_.lse); }
  int64_t size() const { return static_cast<int64_t>(size_of(dtype_)); }
  std::byte* element(const FlashTensor& tensor, int64_t batch, int64_t head, int64_t row) const {
    const int64_t index = batch * tensor.batch_stride + head * tensor.head_stride + row * tensor.row_stride;
    return static_cast<std::byte*>(tensor.data) + index * size();
  }

  std::vector<double> rows_of(const FlashTensor& tensor, int64_t batch, int64_t head, int64_t rows) const {
    std::vector<double> values;
    for (int64_t row = 0; row < rows; ++row) {
      const std::byte* at = element(tensor, batch, head, row);
      for (int64_t column = 0; column < dim_; ++column)
        values.push_back(load_element(dtype_, at + column * size()));
    }
    return values;
  }

  int64_t visible_keys(int64_t row) const {
    const int64_t keys = params_.seqlen_kv, rows = params_.seqlen_q;
    const int64_t visible = causal_ ? std::clamp<int64_t>(row + 1 + keys - rows, 0, keys) : keys;
    return fault_ == Fault::loses_a_key && row >= rows / 2 && visible > 1 ? visible - 1 : visible;
  }

  void run_head(int64_t batch, int64_t head) const {
    const int64_t kv_head = head / params_.heads_per_kv;
    const std::vector<double> q = rows_of(params_.q, batch, head, params_.seqlen_q);
    const std::vector<double> k = rows_of(params_.k, batch, kv_head, params_.seqlen_kv);
    const std::vector<double> v = rows_of(params_.v, batch, kv_head, params_.seqlen_kv);
    for (int64_t row = 0; row < params_.seqlen_q; ++row) {
      const int64_t from = source_row(row, params_.seqlen_q, fault_);
      std::vector<double> p(static_cast<size_t>(visible_keys(from)));
      for (size_t j = 0; j < p.size(); ++j) {
        const double* key = k.data() + static_cast<int64_t>(j) * dim_;
        for (int64_t c = 0; c < dim_; ++c)
          p[j] += q[static_cast<size_t>(from * dim_ + c)] * key[c];
        p[j] *= scale_;
      }
      const double lse = normalise(p);
      store_row(element(params_.o, batch, head, row), p, v);
      if (params_.lse)
        lse_values()[(batch * params_.heads_q + head) * params_.seqlen_q + row] = static_cast<float>(lse);
    }
    if (fault_ == Fault::writes_one_nan) {
      store_element(dtype_, element(params_.o, batch, head, params_.seqlen_q - 1), kNan);
    }
  }

  // Softmax in place; returns the log of the sum of exponentials.
  static double normalise(std::vector<double>& p) {
    if (p.empty()) return -kInfinity;
    const double maximum = *std::ranges::max_element(p);
    double sum = 0;
    for (double& value : p)
      sum += value = std::exp(value - maximum);
    for (double& value : p)
      value /= sum;
    return maximum + std::log(sum);
  }

  void store_row(std::byte* o, const std::vector<double>& p, const std::vector<double>& v) const {
    std::vector<double> row(static_cast<size_t>(dim_));
    for (size_t j = 0; j < p.size(); ++j) {
      for (size_t c = 0; c < row.size(); ++c)
        row[c] += p[j] * v[j * row.size() + c];
    }
    for (int64_t c = 0; c < dim_; ++c)
      store_element(dtype_, o + c * size(), row[static_cast<size_t>(c)]);
  }

  const FlashFwdParams params_;
  const DType dtype_;
  const int64_t dim_;
  const bool causal_;
  const int64_t batch_;
  const double scale_;
  const Fault fault_;
};

void run_row_softmax(const Launch& launch, Fault fault) {
  const auto params = params_of<RowSoftmaxParams>(launch);
  for (int64_t row = 0; row < params.rows; ++row) {
    const float* x = params.input + source_row(row, params.rows, fault) * params.row_stride;
    float* y = params.output + row * params.row_stride;
    const double maximum = *std::max_element(x, x + params.columns);
    double sum = 0;
    for (int column = 0; column < params.columns; ++column)
      sum += std::exp(x[column] - maximum);
    if (fault == Fault::scale_off_by_1_percent) sum *= 1.01;
    for (int column = 0; column < params.columns; ++column) {
      y[column] = static_cast<float>(std::exp(x[column] - maximum) / sum);
    }
    if (fault == Fault::loses_a_key && row >= params.rows / 2) y[params.columns - 1] = 0;
  }
  float* last_row = params.output + (params.rows - 1) * params.row_stride;
  if (fault == Fault::writes_one_nan) last_row[0] = static_cast<float>(kNan);
  if (fault == Fault::writes_beside_o) last_row[params.columns] = 0;
}

}  // namespace

void run_fake_kernel(const std::string& entry, const Constants& constants, const Launch& launch,
                     Fault fault) {
  if (fault == Fault::writes_nothing || launch.grid == 0) return;
  if (entry == "flash_fwd") return FlashFwdRun(constants, launch, fault).run();
  if (entry == "row_softmax") return run_row_softmax(launch, fault);
  throw std::logic_error("fake kernel: no entry " + entry);
}

}  // namespace attune

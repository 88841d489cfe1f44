// The loops that the reference and the naive yardstick share: softmax(QK')V by blocks of rows, in a given
// precision. They are one text because the two differ in rounding only; tests hold both against independent
// code.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/parallel.h"
#include "reference/attention.h"

namespace attune::reference_detail {

constexpr int64_t kLanes = 16;     // columns that a panel has, and that are summed side by side
constexpr int64_t kRowBlock = 32;  // query rows that share a panel while it is in the first-level cache
constexpr int64_t kKeyBlock = 128;

struct Product {
  template <typename Real>
  Real operator()(Real a, Real b) const {
    return a * b;
  }
};

struct Magnitude {
  template <typename Real>
  Real operator()(Real a, Real b) const {
    return std::fabs(a * b);
  }
};

// sums[lane] += Σ over k of term(row[k], panel[k][lane]), each sum strictly in order of k: the compiler
// vectorises over lanes and never reorders an addition. Four steps of k at a time, so that the sums travel to
// memory a quarter as often.
template <typename Term, typename Real>
void add_terms(const Real* __restrict row, const Real* __restrict panel, int64_t count,
               Real* __restrict sums) {
  constexpr Term term;
  int64_t k = 0;
  for (; k + 4 <= count; k += 4, panel += 4 * kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      Real sum = sums[lane] + term(row[k], panel[lane]);
      sum += term(row[k + 1], panel[kLanes + lane]);
      sum += term(row[k + 2], panel[2 * kLanes + lane]);
      sums[lane] = sum + term(row[k + 3], panel[3 * kLanes + lane]);
    }
  }
  for (; k < count; ++k, panel += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane)
      sums[lane] += term(row[k], panel[lane]);
  }
}

constexpr int64_t panels_of(int64_t columns) {
  return (columns + kLanes - 1) / kLanes;
}

// One head of a tensor in `Real`. keys: panels over rows, [row / 16][column][row % 16], for QK'.
// values: panels over columns, [column / 16][row][column % 16], for PV. Padding is 0.
template <typename Real>
std::vector<Real> pack_panels(const HostTensor& tensor, int64_t batch, int64_t head, bool over_rows) {
  const int64_t rows = tensor.rows();
  const int64_t columns = tensor.columns();
  const int64_t inner = over_rows ? columns : rows;
  std::vector<Real> panels(static_cast<size_t>(panels_of(over_rows ? rows : columns) * inner * kLanes));
  std::vector<Real> values(static_cast<size_t>(columns));
  for (int64_t row = 0; row < rows; ++row) {
    tensor.read_row(batch, head, row, values.data());
    for (int64_t column = 0; column < columns; ++column) {
      const int64_t across = over_rows ? row : column;
      const int64_t along = over_rows ? column : row;
      const int64_t position = (across / kLanes * inner + along) * kLanes + across % kLanes;
      panels[static_cast<size_t>(position)] = values[static_cast<size_t>(column)];
    }
  }
  return panels;
}

// Attention in `Real`. `round_p` is applied to each unnormalised probability before PV, `round_o` to each
// output.
template <typename Real, typename RoundP, typename RoundO>
class AttentionRows {
 public:
  AttentionRows(const AttentionInputs& inputs, RoundP round_p, RoundO round_o, bool with_magnitude)
      : inputs_(inputs), round_p_(round_p), round_o_(round_o), with_magnitude_(with_magnitude) {
    check_shapes();
    scale_ = static_cast<Real>(inputs.scale.value_or(default_scale(inputs.q.columns(), inputs.q.dtype())));
  }

  AttentionResult run() {
    const HostTensor& q = inputs_.q;
    const auto rows = static_cast<size_t>(q.batch() * q.heads() * q.rows());
    result_.dims = {q.batch(), q.heads(), q.rows(), inputs_.v.columns()};
    result_.o.assign(rows * static_cast<size_t>(inputs_.v.columns()), 0);
    result_.lse.assign(rows, -std::numeric_limits<double>::infinity());
    if (with_magnitude_) result_.logit_magnitude.assign(rows, 0);
    pack();
    const int64_t blocks = (q.rows() + kRowBlock - 1) / kRowBlock;
    parallel_for(
        q.batch() * q.heads() * blocks,
        [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            const int64_t head = i / blocks;
            run_block(head / q.heads(), head % q.heads(), i % blocks * kRowBlock);
          }
        },
        work());
    return std::move(result_);
  }

 private:
  struct Block {
    int64_t rows = 0;
    int64_t keys = 0;              // the most that any row sees
    int64_t stride = 0;            // of `logits`: keys rounded up to whole panels
    std::vector<int64_t> visible;  // keys per row: 0 .. keys
    std::vector<Real> logits;      // then the probabilities
    std::vector<Real> sums;
  };

  void check_shapes() const {
    const HostTensor &q = inputs_.q, &k = inputs_.k, &v = inputs_.v;
    const bool fit = q.batch() == k.batch() && q.batch() == v.batch() && k.heads() == v.heads() &&
                     k.heads() > 0 && q.heads() % k.heads() == 0 && k.rows() == v.rows() &&
                     q.columns() == k.columns() && q.columns() > 0 && q.dtype() == k.dtype() &&
                     q.dtype() == v.dtype();
    if (!fit)
      fail(ATTUNE_ERROR_INTERNAL, "reference attention: the shapes of q, k and v do not fit together");
  }

  void pack() {
    const int64_t heads = inputs_.k.heads();
    const auto count = static_cast<size_t>(inputs_.k.batch() * heads);
    keys_.resize(count);
    values_.resize(count);
    parallel_for(
        static_cast<int64_t>(count),
        [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            keys_[static_cast<size_t>(i)] = pack_panels<Real>(inputs_.k, i / heads, i % heads, true);
            values_[static_cast<size_t>(i)] = pack_panels<Real>(inputs_.v, i / heads, i % heads, false);
          }
        },
        inputs_.k.element_count() + inputs_.v.element_count());
  }

  // Products of both matrix multiplications.
  int64_t work() const {
    return inputs_.q.batch() * inputs_.q.heads() * inputs_.q.rows() * inputs_.k.rows() *
           (inputs_.q.columns() + inputs_.v.columns());
  }

  int64_t visible_keys(int64_t row) const {
    const int64_t keys = inputs_.k.rows();
    if (inputs_.mask == Mask::none) return keys;
    return std::clamp<int64_t>(row + 1 + causal_diagonal(inputs_.mask, inputs_.q.rows(), keys), 0, keys);
  }

  void run_block(int64_t batch, int64_t head, int64_t first_row) {
    const int64_t group = inputs_.q.heads() / inputs_.k.heads();
    const auto kv_head = static_cast<size_t>(batch * inputs_.k.heads() + head / group);
    Block block;
    block.rows = std::min(kRowBlock, inputs_.q.rows() - first_row);
    for (int64_t i = 0; i < block.rows; ++i)
      block.visible.push_back(visible_keys(first_row + i));
    block.keys = *std::max_element(block.visible.begin(), block.visible.end());
    block.stride = panels_of(block.keys) * kLanes;
    const int64_t first = result_.row_index(batch, head, first_row);
    compute_logits(block, keys_[kv_head], batch, head, first_row, first);
    for (int64_t i = 0; i < block.rows; ++i)
      block.sums.push_back(softmax(block, i, first));
    compute_output(block, values_[kv_head], first);
  }

  void compute_logits(Block& block, const std::vector<Real>& keys, int64_t batch, int64_t head,
                      int64_t first_row, int64_t first) {
    const int64_t head_dim = inputs_.q.columns();
    std::vector<Real> query(static_cast<size_t>(block.rows * head_dim));
    for (int64_t i = 0; i < block.rows; ++i) {
      inputs_.q.read_row(batch, head, first_row + i, query.data() + i * head_dim);
    }
    block.logits.assign(static_cast<size_t>(block.rows * block.stride), 0);
    for (int64_t panel = 0; panel < panels_of(block.keys); ++panel) {
      const Real* key = keys.data() + panel * head_dim * kLanes;
      for (int64_t i = 0; i < block.rows; ++i) {
        Real* logits = block.logits.data() + i * block.stride + panel * kLanes;
        add_terms<Product>(query.data() + i * head_dim, key, head_dim, logits);
        if (!with_magnitude_) continue;
        Real magnitudes[kLanes] = {};
        add_terms<Magnitude>(query.data() + i * head_dim, key, head_dim, magnitudes);
        double& largest = result_.logit_magnitude[static_cast<size_t>(first + i)];
        const int64_t lanes = std::min(kLanes, block.visible[static_cast<size_t>(i)] - panel * kLanes);
        for (int64_t lane = 0; lane < lanes; ++lane) {
          largest = std::max(largest, static_cast<double>(std::fabs(scale_) * magnitudes[lane]));
        }
      }
    }
  }

  // Logits of row i become unnormalised probabilities; returns their sum (before round_p), and stores the
  // LSE.
  Real softmax(Block& block, int64_t i, int64_t first) {
    const int64_t visible = block.visible[static_cast<size_t>(i)];
    if (visible == 0) return 0;
    Real* values = block.logits.data() + i * block.stride;
    Real maximum = -std::numeric_limits<Real>::infinity();
    for (int64_t j = 0; j < visible; ++j) {
      values[j] *= scale_;
      maximum = std::max(maximum, values[j]);
    }
    Real sum = 0;
    for (int64_t j = 0; j < visible; ++j) {
      const Real p = std::exp(values[j] - maximum);
      sum += p;
      values[j] = round_p_(p);
    }
    result_.lse[static_cast<size_t>(first + i)] = static_cast<double>(maximum + std::log(sum));
    return sum;
  }

  void compute_output(const Block& block, const std::vector<Real>& values, int64_t first) {
    const int64_t columns = inputs_.v.columns();
    const int64_t width = panels_of(columns) * kLanes;
    const int64_t keys = inputs_.k.rows();
    std::vector<Real> output(static_cast<size_t>(block.rows * width));
    for (int64_t begin = 0; begin < block.keys; begin += kKeyBlock) {
      for (int64_t panel = 0; panel < panels_of(columns); ++panel) {
        const Real* value = values.data() + (panel * keys + begin) * kLanes;
        for (int64_t i = 0; i < block.rows; ++i) {
          const int64_t count = std::min(kKeyBlock, block.visible[static_cast<size_t>(i)] - begin);
          const Real* p = block.logits.data() + i * block.stride + begin;
          add_terms<Product>(p, value, count, output.data() + i * width + panel * kLanes);
        }
      }
    }
    for (int64_t i = 0; i < block.rows; ++i) {
      if (block.visible[static_cast<size_t>(i)] == 0) continue;  // stays 0
      double* o = result_.o.data() + (first + i) * columns;
      for (int64_t c = 0; c < columns; ++c) {
        const Real quotient = output[static_cast<size_t>(i * width + c)] / block.sums[static_cast<size_t>(i)];
        o[c] = static_cast<double>(round_o_(quotient));
      }
    }
  }

  const AttentionInputs& inputs_;
  RoundP round_p_;
  RoundO round_o_;
  bool with_magnitude_;
  Real scale_ = 0;
  std::vector<std::vector<Real>> keys_, values_;  // packed, per batch and kv head
  AttentionResult result_;
};

}  // namespace attune::reference_detail

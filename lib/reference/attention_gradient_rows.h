// The loops that the gradients' reference and yardstick share; the two differ in rounding only. One head of
// queries at a time: P and dS of its rows, then the sums over keys (dQ) and over rows (dK, dV), each strictly
// in order.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/parallel.h"
#include "reference/attention_gradient.h"
#include "reference/attention_rows.h"

namespace attune::reference_detail {

// Gradients in `Real`. `round` is applied to each P and dS before it is multiplied, and to each gradient at
// the end.
template <typename Real, typename Round>
class GradientRows {
 public:
  GradientRows(const GradientInputs& inputs, Round round, bool with_magnitude)
      : inputs_(inputs),
        q_(inputs.forward.q),
        k_(inputs.forward.k),
        v_(inputs.forward.v),
        round_(round),
        with_magnitude_(with_magnitude) {
    check_shapes();
    scale_ = static_cast<Real>(inputs.forward.scale.value_or(default_scale(q_.columns(), q_.dtype())));
  }

  GradientResult run() {
    const auto rows = static_cast<size_t>(q_.batch() * q_.heads() * q_.rows());
    result_.dq.assign(static_cast<size_t>(q_.element_count()), 0);
    if (with_magnitude_) {
      const auto keys = static_cast<size_t>(k_.batch() * k_.heads() * k_.rows());
      result_.query_magnitude.assign(rows, 0);
      result_.query_terms.assign(rows, 0);
      result_.key_magnitude.assign(keys, 0);
      result_.key_terms.assign(keys, 0);
    }
    for (int64_t batch = 0; batch < k_.batch(); ++batch) {
      for (int64_t kv_head = 0; kv_head < k_.heads(); ++kv_head)
        run_kv_head(batch, kv_head);
    }
    return std::move(result_);
  }

 private:
  // What belongs to one head of keys and values, and to the query head that is being added to it.
  struct Head {
    int64_t batch, kv_head;
    std::vector<Real> keys, values;              // rows, contiguous
    std::vector<Real> key_panels, value_panels;  // for add_terms
    std::vector<Real> dk, dv;                    // sums so far
    std::vector<Real> queries, douts;            // of the query head, rows, contiguous
    std::vector<Real> p, ds;                     // [Nq][stride]
    std::vector<Real> magnitude, terms;          // likewise: Σ|q·k|, and P·(Σ|dO·V| + |delta|)
    std::vector<Real> key_max, query_max;        // largest absolute value of each row
  };
  struct Delta {
    Real value = 0;
    Real magnitude = 0;  // of what is summed
  };

  void check_shapes() const {
    const HostTensor::Dims o{q_.batch(), q_.heads(), q_.rows(), v_.columns()};
    const auto rows = static_cast<size_t>(o[0] * o[1] * o[2]);
    const bool fit = q_.batch() == k_.batch() && q_.batch() == v_.batch() && k_.heads() == v_.heads() &&
                     k_.heads() > 0 && q_.heads() % k_.heads() == 0 && k_.rows() == v_.rows() &&
                     q_.columns() == k_.columns() && q_.columns() > 0 && inputs_.o.dims() == o &&
                     inputs_.dout.dims() == o && inputs_.lse.size() == rows &&
                     (inputs_.dlse.empty() || inputs_.dlse.size() == rows);
    if (!fit) fail(ATTUNE_ERROR_INTERNAL, "reference gradient: the shapes of the inputs do not fit together");
  }

  static std::vector<Real> rows_of(const HostTensor& tensor, int64_t batch, int64_t head) {
    std::vector<Real> rows(static_cast<size_t>(tensor.rows() * tensor.columns()));
    for (int64_t row = 0; row < tensor.rows(); ++row)
      tensor.read_row(batch, head, row, rows.data() + row * tensor.columns());
    return rows;
  }

  static std::vector<Real> row_maxima(const std::vector<Real>& rows, int64_t columns) {
    std::vector<Real> maxima(rows.size() / static_cast<size_t>(columns));
    for (size_t i = 0; i < rows.size(); ++i) {
      Real& largest = maxima[i / static_cast<size_t>(columns)];
      largest = std::max(largest, std::fabs(rows[i]));
    }
    return maxima;
  }

  int64_t work_of_head() const { return q_.rows() * k_.rows() * (q_.columns() + v_.columns()); }
  int64_t stride() const { return panels_of(k_.rows()) * kLanes; }
  int64_t row_index(const Head& head, int64_t q_head, int64_t row) const {
    return (head.batch * q_.heads() + q_head) * q_.rows() + row;
  }

  // Keys 0 to visible - 1; none for a row whose LSE says that it saw none.
  int64_t visible_keys(const Head& head, int64_t q_head, int64_t row) const {
    const double lse = inputs_.lse[static_cast<size_t>(row_index(head, q_head, row))];
    if (lse == -std::numeric_limits<double>::infinity()) return 0;
    const int64_t keys = k_.rows();
    if (inputs_.forward.mask == Mask::none) return keys;
    return std::clamp<int64_t>(row + 1 + causal_diagonal(inputs_.forward.mask, q_.rows(), keys), 0, keys);
  }

  void run_kv_head(int64_t batch, int64_t kv_head) {
    Head head{.batch = batch, .kv_head = kv_head};
    head.keys = rows_of(k_, batch, kv_head);
    head.values = rows_of(v_, batch, kv_head);
    head.key_panels = pack_panels<Real>(k_, batch, kv_head, true);
    head.value_panels = pack_panels<Real>(v_, batch, kv_head, true);
    head.dk.assign(head.keys.size(), 0);
    head.dv.assign(head.values.size(), 0);
    head.p.resize(static_cast<size_t>(q_.rows() * stride()));
    head.ds.resize(head.p.size());
    if (with_magnitude_) {
      head.magnitude.resize(head.p.size());
      head.terms.resize(head.p.size());
      head.key_max = row_maxima(head.keys, q_.columns());
    }
    const int64_t group = q_.heads() / k_.heads();
    for (int64_t q_head = kv_head * group; q_head < (kv_head + 1) * group; ++q_head) {
      head.queries = rows_of(q_, batch, q_head);
      head.douts = rows_of(inputs_.dout, batch, q_head);
      if (with_magnitude_) head.query_max = row_maxima(head.queries, q_.columns());
      parallel_for(
          q_.rows(),
          [&](int64_t begin, int64_t end) {
            for (int64_t row = begin; row < end; ++row)
              run_row(head, q_head, row);
          },
          work_of_head());
      parallel_for(
          k_.rows(), [&](int64_t begin, int64_t end) { add_rows(head, q_head, begin, end); }, work_of_head());
    }
    finish(head.dk, scale_, result_.dk);
    finish(head.dv, 1, result_.dv);
  }

  // P, dS and dQ of one row.
  void run_row(Head& head, int64_t q_head, int64_t row) {
    const int64_t visible = visible_keys(head, q_head, row), d = q_.columns(), dv = v_.columns();
    if (visible == 0) return;  // dQ stays 0
    const int64_t index = row_index(head, q_head, row);
    Real* p = head.p.data() + row * stride();
    Real* ds = head.ds.data() + row * stride();
    std::fill_n(p, stride(), Real(0));
    std::fill_n(ds, stride(), Real(0));
    const Real* query = head.queries.data() + row * d;
    const Real* dout = head.douts.data() + row * dv;
    for (int64_t panel = 0; panel < panels_of(visible); ++panel) {
      add_terms<Product>(query, head.key_panels.data() + panel * d * kLanes, d, p + panel * kLanes);
      add_terms<Product>(dout, head.value_panels.data() + panel * dv * kLanes, dv, ds + panel * kLanes);
    }
    const Delta delta = delta_of(head, q_head, row, dout);
    const auto lse = static_cast<Real>(inputs_.lse[static_cast<size_t>(index)]);
    std::vector<Real> dq(static_cast<size_t>(d));
    for (int64_t j = 0; j < visible; ++j) {
      const Real probability = std::exp(p[j] * scale_ - lse);
      p[j] = round_(probability);
      ds[j] = round_(probability * (ds[j] - delta.value));
      const Real* key = head.keys.data() + j * d;
      for (int64_t c = 0; c < d; ++c)
        dq[static_cast<size_t>(c)] += ds[j] * key[c];
    }
    for (int64_t c = 0; c < d; ++c) {
      result_.dq[static_cast<size_t>(index * d + c)] =
          static_cast<double>(round_(dq[static_cast<size_t>(c)] * scale_));
    }
    if (with_magnitude_) measure_row(head, query, dout, row, index, visible, delta.magnitude);
  }

  Delta delta_of(const Head& head, int64_t q_head, int64_t row, const Real* dout) const {
    std::vector<Real> o(static_cast<size_t>(v_.columns()));
    inputs_.o.read_row(head.batch, q_head, row, o.data());
    Delta delta;
    for (size_t c = 0; c < o.size(); ++c) {
      delta.value += dout[c] * o[c];
      delta.magnitude += std::fabs(dout[c] * o[c]);
    }
    if (inputs_.dlse.empty()) return delta;
    const auto dlse = static_cast<Real>(inputs_.dlse[static_cast<size_t>(row_index(head, q_head, row))]);
    return {delta.value - dlse, delta.magnitude + std::fabs(dlse)};
  }

  // Magnitudes and terms of a row, once its P is known.
  void measure_row(Head& head, const Real* query, const Real* dout, int64_t row, int64_t index,
                   int64_t visible, Real delta_magnitude) {
    const int64_t d = q_.columns(), dv = v_.columns();
    Real* magnitude = head.magnitude.data() + row * stride();
    Real* terms = head.terms.data() + row * stride();
    std::fill_n(magnitude, stride(), Real(0));
    std::fill_n(terms, stride(), Real(0));
    for (int64_t panel = 0; panel < panels_of(visible); ++panel) {
      add_terms<Magnitude>(query, head.key_panels.data() + panel * d * kLanes, d, magnitude + panel * kLanes);
      add_terms<Magnitude>(dout, head.value_panels.data() + panel * dv * kLanes, dv, terms + panel * kLanes);
    }
    const Real* p = head.p.data() + row * stride();
    Real largest = 0, sum = 0;
    for (int64_t j = 0; j < visible; ++j) {
      largest = std::max(largest, magnitude[j]);
      terms[j] = p[j] * (terms[j] + delta_magnitude);
      sum += terms[j] * head.key_max[static_cast<size_t>(j)];
    }
    const Real scale = std::fabs(scale_);
    result_.query_magnitude[static_cast<size_t>(index)] = static_cast<double>(scale * largest);
    result_.query_terms[static_cast<size_t>(index)] = static_cast<double>(scale * sum);
  }

  // What the query head adds to dK and dV of keys `begin` to `end` - 1.
  void add_rows(Head& head, int64_t q_head, int64_t begin, int64_t end) {
    const int64_t d = q_.columns(), dv = v_.columns();
    for (int64_t row = 0; row < q_.rows(); ++row) {
      const Real* query = head.queries.data() + row * d;
      const Real* dout = head.douts.data() + row * dv;
      const int64_t end_visible = std::min(end, visible_keys(head, q_head, row));
      for (int64_t j = begin; j < end_visible; ++j) {
        const Real p = head.p[static_cast<size_t>(row * stride() + j)];
        const Real ds = head.ds[static_cast<size_t>(row * stride() + j)];
        for (int64_t c = 0; c < d; ++c)
          head.dk[static_cast<size_t>(j * d + c)] += ds * query[c];
        for (int64_t c = 0; c < dv; ++c)
          head.dv[static_cast<size_t>(j * dv + c)] += p * dout[c];
        if (!with_magnitude_) continue;
        const auto place = static_cast<size_t>(row * stride() + j);
        const auto key = static_cast<size_t>((head.batch * k_.heads() + head.kv_head) * k_.rows() + j);
        const Real scale = std::fabs(scale_),
                   term = head.terms[place] * head.query_max[static_cast<size_t>(row)];
        double& largest = result_.key_magnitude[key];
        largest = std::max(largest, static_cast<double>(scale * head.magnitude[place]));
        result_.key_terms[key] += static_cast<double>(scale * term);
      }
    }
  }

  // Heads come in order, so that appending makes the tensor.
  void finish(const std::vector<Real>& sums, Real factor, std::vector<double>& gradient) {
    for (const Real sum : sums)
      gradient.push_back(static_cast<double>(round_(sum * factor)));
  }

  const GradientInputs& inputs_;
  const HostTensor &q_, &k_, &v_;
  Round round_;
  bool with_magnitude_;
  Real scale_ = 0;
  GradientResult result_;
};

}  // namespace attune::reference_detail

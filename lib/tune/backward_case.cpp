#include "tune/backward_case.h"

#include <cmath>
#include <limits>

#include "attention/row_terms.layout.h"
#include "base/error.h"
#include "reference/attention.h"
#include "tune/device_tensor.h"

namespace attune {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLog2E = 1.4426950408889634;

// A broadcast axis keeps its extent and loses its stride; the values of its last index count.
HostTensor broadcast(const HostTensor& tensor, size_t axis) {
  HostTensor::Strides strides = tensor.strides();
  strides[axis] = 0;
  return HostTensor(tensor.dtype(), tensor.dims(), strides, TensorPadding::fenced(tensor.dtype()).margin);
}

std::vector<double> row_of(const HostTensor& tensor) {
  std::vector<double> values(static_cast<size_t>(tensor.columns()));
  tensor.read_row(0, 0, 0, values.data());
  return values;
}

HostTensor fenced(DType dtype, const HostTensor::Dims& dims) {
  return HostTensor(dtype, dims, Layout::bhsd, TensorPadding::fenced(dtype));
}

}  // namespace

HostTensor BackwardCase::make_tensor(int64_t heads, int64_t rows, int64_t columns,
                                     Placement placement) const {
  const Layout layout = problem_.layout == Layout::bshd ? Layout::bshd : Layout::bhsd;
  const TensorPadding padding =
      placement == Placement::unaligned ? TensorPadding::unaligned() : TensorPadding::fenced(problem_.dtype);
  return HostTensor(problem_.dtype, {problem_.batch, heads, rows, columns}, layout, padding);
}

BackwardCase::BackwardCase(const Problem& problem, uint64_t seed, double q_deviation, Placement placement)
    : problem_(problem), placement_(placement) {
  make_inputs(seed, q_deviation);
  make_row_terms();
  take_stage(problem.operation);
}

void BackwardCase::take_stage(Operation stage) {
  problem_.operation = stage;
  if (stage != Operation::backward_delta && !has_gradients_) make_gradients();
}

void BackwardCase::make_gradients() {
  const std::vector<double> lse = row_of(lse_), dlse = row_of(dlse_);
  const double scale = default_scale(problem_.head_dim, problem_.dtype);
  const GradientInputs inputs{{q_, k_, v_, problem_.mask, scale}, o_, dout_, lse, dlse};
  reference_ = reference_gradient(inputs);
  naive_ = naive_gradient(inputs);
  has_gradients_ = true;
}

void BackwardCase::make_inputs(uint64_t seed, double q_deviation) {
  const Problem& p = problem_;
  q_ = make_tensor(p.heads_q, p.seqlen_q, p.head_dim, placement_);
  k_ = make_tensor(p.heads_kv, p.seqlen_kv, p.head_dim, placement_);
  v_ = make_tensor(p.heads_kv, p.seqlen_kv, p.head_dim_v, placement_);
  o_ = make_tensor(p.heads_q, p.seqlen_q, p.head_dim_v, placement_);
  dout_ = o_;
  if (placement_ == Placement::broadcast) {
    constexpr size_t kBatch = 0, kHead = 1, kRow = 2;
    k_ = broadcast(k_, kBatch);
    v_ = broadcast(v_, kHead);
    dout_ = broadcast(dout_, kRow);
  }
  q_.fill_random(seed, 0, q_deviation);
  k_.fill_random(seed + 1);
  v_.fill_random(seed + 2);
  dout_.fill_random(seed + 3);
  const AttentionResult forward =
      reference_attention({q_, k_, v_, p.mask, default_scale(p.head_dim, p.dtype)});
  o_.from_doubles(forward.o);
  const DType statistics = statistics_dtype(p.dtype);
  lse_ = fenced(statistics, {1, 1, 1, std::ssize(forward.lse)});
  lse_.from_doubles(forward.lse);
  dlse_ = fenced(statistics, lse_.dims());
  dlse_.fill_random(seed + 4);
}

void BackwardCase::make_row_terms() {
  const Problem& p = problem_;
  const int64_t padded = RowTermsLayout::padded_rows(p.seqlen_q), heads = p.batch * p.heads_q;
  const DType statistics = statistics_dtype(p.dtype);
  row_terms_ = HostTensor(statistics, {1, heads, padded, 2}, Layout::bhsd,
                          {.margin = TensorPadding::fenced(statistics).margin});  // dense, as in a workspace
  const std::vector<double> lse = row_of(lse_), dlse = row_of(dlse_), o = o_.to_doubles(),
                            dout = dout_.to_doubles();
  for (int64_t head = 0; head < heads; ++head) {
    for (int64_t row = 0; row < padded; ++row) {
      const auto index = static_cast<size_t>(head * p.seqlen_q + row);
      const bool saw_keys = row < p.seqlen_q && lse[index] != -kInfinity;
      row_terms_.set(0, head, row, 0, saw_keys ? lse[index] * kLog2E : kInfinity);
      row_terms_.set(0, head, row, 1, 0);
      if (row >= p.seqlen_q) continue;
      long double delta = -static_cast<long double>(dlse[index]);
      double magnitude = std::fabs(dlse[index]);
      const auto columns = static_cast<size_t>(p.head_dim_v);
      for (size_t c = index * columns; c < (index + 1) * columns; ++c) {
        delta += static_cast<long double>(o[c]) * static_cast<long double>(dout[c]);
        magnitude += std::fabs(o[c] * dout[c]);
      }
      if (saw_keys) row_terms_.set(0, head, row, 1, static_cast<double>(delta));
      delta_magnitude_.push_back(magnitude);
    }
  }
}

BackwardOutput BackwardCase::run(Backend& backend, const Family& family, const Config& config,
                                 const Module& module, const BackwardOutput* terms_of) const {
  const Problem& p = problem_;
  const bool makes_terms = p.operation == Operation::backward_delta;
  BackwardOutput output{.row_terms = terms_of ? terms_of->row_terms : row_terms_,
                        .dq = make_tensor(p.heads_q, p.seqlen_q, p.head_dim, placement_),
                        .dk = make_tensor(p.heads_kv, p.seqlen_kv, p.head_dim, placement_),
                        .dv = make_tensor(p.heads_kv, p.seqlen_kv, p.head_dim_v, placement_)};
  if (makes_terms) output.row_terms.poison();
  HostTensor q = q_, k = k_, v = v_, o = o_, dout = dout_, lse = lse_, dlse = dlse_;
  const DeviceTensor q_device(backend, q), k_device(backend, k), v_device(backend, v), o_device(backend, o),
      dout_device(backend, dout), lse_device(backend, lse), dlse_device(backend, dlse),
      terms_device(backend, output.row_terms), dq_device(backend, output.dq), dk_device(backend, output.dk),
      dv_device(backend, output.dv);
  const GradientArguments gradients{.dout = dout_device.view(),
                                    .dq = dq_device.view(),
                                    .dk = dk_device.view(),
                                    .dv = dv_device.view(),
                                    .dlse = dlse_device.view().data,
                                    .row_terms = terms_device.view().data};
  const Arguments arguments{.q = q_device.view(),
                            .k = k_device.view(),
                            .v = v_device.view(),
                            .o = o_device.view(),
                            .lse = lse_device.view().data,
                            .gradients = &gradients,
                            .batch = p.batch,
                            .seqlen_q = p.seqlen_q,
                            .seqlen_kv = p.seqlen_kv,
                            .scale = default_scale(p.head_dim, p.dtype)};
  Launch launch;
  family.pack(p, config, arguments, backend.tensor_maps(), launch);
  if (launch.grid > 0) {
    backend.launch(module, launch, backend.planning_stream());
    backend.synchronize(backend.planning_stream());
  }
  for (const DeviceTensor* written : {&terms_device, &dq_device, &dk_device, &dv_device})
    written->download();
  return output;
}

Comparison BackwardCase::compare_row_terms(const HostTensor& row_terms) const {
  const bool is_f64 = problem_.dtype == DType::f64;
  const double precision = is_f64 ? 0x1p-48 : 0x1p-20;
  Comparison result;
  for (int64_t head = 0; head < row_terms.heads(); ++head) {
    for (int64_t row = 0; row < row_terms.rows(); ++row) {
      for (const int64_t which : {0, 1}) {
        const double expected = row_terms_.at(0, head, row, which), got = row_terms.at(0, head, row, which);
        if (got == expected) continue;
        const auto index = static_cast<size_t>(head * problem_.seqlen_q + row);
        const double magnitude = row >= problem_.seqlen_q ? 0
                                 : which == 0             ? std::fabs(expected)
                                                          : delta_magnitude_[index];
        const double error = std::fabs(got - expected);
        double ratio = error / (precision * magnitude);
        if (std::isnan(ratio)) ratio = kInfinity;
        if (std::isfinite(error)) result.max_abs_error = std::max(result.max_abs_error, error);
        if (ratio <= result.worst_ratio) continue;
        result.worst_ratio = ratio;
        result.ok = ratio <= 1;
        if (result.ok) continue;
        result.max_abs_error = std::isfinite(error) ? result.max_abs_error : kInfinity;
        result.reason = fmt::format("{} head {} row {}: got {:.9g}, reference {:.9g}",
                                    which == 0 ? "lse in base 2" : "delta", head, row, got, expected);
      }
    }
  }
  return result;
}

Comparison BackwardCase::compare(const BackwardOutput& output) const {
  if (!output.row_terms.margins_intact()) return canary_failure("row terms");
  if (!output.dq.margins_intact()) return canary_failure("dq");
  if (!output.dk.margins_intact()) return canary_failure("dk");
  if (!output.dv.margins_intact()) return canary_failure("dv");
  switch (problem_.operation) {
    case Operation::backward_delta:
      return compare_row_terms(output.row_terms);
    case Operation::backward_dkv:
      return worse_of(compare_gradient("dk", output.dk, reference_, naive_),
                      compare_gradient("dv", output.dv, reference_, naive_));
    case Operation::backward_dq:
      return compare_gradient("dq", output.dq, reference_, naive_);
    default:
      fail(ATTUNE_ERROR_INTERNAL, "{} is no stage of backward", name_of(problem_.operation));
  }
}

Comparison BackwardCase::check(Backend& backend, const Family& family, const Config& config,
                               const Module& module) const {
  return compare(run(backend, family, config, module));
}

}  // namespace attune

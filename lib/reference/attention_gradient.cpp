#include "reference/attention_gradient.h"

#include "isa/float_formats.h"
#include "reference/attention_gradient_rows.h"

namespace attune {
namespace {

template <typename Real, typename Round>
GradientResult run(const GradientInputs& inputs, Round round, bool with_magnitude) {
  return reference_detail::GradientRows<Real, Round>(inputs, round, with_magnitude).run();
}

}  // namespace

GradientResult reference_gradient(const GradientInputs& inputs, Magnitudes magnitudes) {
  const bool measured = magnitudes == Magnitudes::computed;
  const auto exact = [](auto value) { return value; };
  return inputs.forward.q.dtype() == DType::f64 ? run<long double>(inputs, exact, measured)
                                                : run<double>(inputs, exact, measured);
}

GradientResult naive_gradient(const GradientInputs& inputs) {
  switch (inputs.forward.q.dtype()) {
    case DType::f16:
      return run<float>(
          inputs, [](float value) { return f16_to_float(f16_from_float(value)); }, false);
    case DType::bf16:
      return run<float>(
          inputs, [](float value) { return bf16_to_float(bf16_from_float(value)); }, false);
    case DType::f32:
      return run<float>(
          inputs, [](float value) { return value; }, false);
    case DType::f64:
      break;
  }
  return run<double>(
      inputs, [](double value) { return value; }, false);
}

Comparison compare_gradient(std::string_view which, const HostTensor& gradient,
                            const GradientResult& reference, const GradientResult& naive) {
  constexpr double kFactor = 2;
  if (which == "dq") {
    return compare_tiles(which, gradient, reference.dq, naive.dq, kFactor, reference.query_magnitude,
                         reference.query_terms);
  }
  if (which == "dk") {
    return compare_tiles(which, gradient, reference.dk, naive.dk, kFactor, reference.key_magnitude,
                         reference.key_terms);
  }
  return compare_tiles(which, gradient, reference.dv, naive.dv, kFactor, reference.key_magnitude);
}

}  // namespace attune

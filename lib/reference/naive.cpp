#include "reference/naive.h"

#include "isa/float_formats.h"
#include "reference/attention_rows.h"

namespace attune {
namespace {

template <typename Real = float, typename Round>
AttentionResult run(const AttentionInputs& inputs, Round round) {
  return reference_detail::AttentionRows<Real, Round, Round>(inputs, round, round, false).run();
}

}  // namespace

AttentionResult naive_attention(const AttentionInputs& inputs) {
  switch (inputs.q.dtype()) {
    case DType::f16:
      return run(inputs, [](float value) { return f16_to_float(f16_from_float(value)); });
    case DType::bf16:
      return run(inputs, [](float value) { return bf16_to_float(bf16_from_float(value)); });
    case DType::f64:
      return run<double>(inputs, [](double value) { return value; });
    case DType::f32:
      break;
  }
  return run(inputs, [](float value) { return value; });
}

}  // namespace attune

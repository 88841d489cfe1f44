#include "reference/attention.h"

#include "reference/attention_rows.h"

namespace attune {

AttentionResult reference_attention(const AttentionInputs& inputs, Magnitudes magnitudes) {
  const bool measured = magnitudes == Magnitudes::computed;
  const auto exact = [](auto value) { return value; };
  if (inputs.q.dtype() == DType::f64) {
    return reference_detail::AttentionRows<long double, decltype(exact), decltype(exact)>(inputs, exact,
                                                                                          exact, measured)
        .run();
  }
  return reference_detail::AttentionRows<double, decltype(exact), decltype(exact)>(inputs, exact, exact,
                                                                                   measured)
      .run();
}

}  // namespace attune

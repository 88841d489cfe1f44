#include "reference/attention.h"

#include "reference/attention_rows.h"

namespace attune {

AttentionResult reference_attention(const AttentionInputs& inputs) {
  const auto exact = [](double value) { return value; };
  return reference_detail::AttentionRows<double, decltype(exact), decltype(exact)>(inputs, exact, exact, true)
      .run();
}

}  // namespace attune

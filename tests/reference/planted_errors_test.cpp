// The rule must fail on what a wrong kernel would do, at every size and dtype, and pass the same code without
// the fault.
//
// NOTE: O alone cannot show everything. Under a causal mask the last keys are seen by one or a few rows;
// where such a key has a small weight, losing it changes O by less than bf16 rounds. The LSE shows it, by a
// factor of 19 and more.
#include <algorithm>
#include <vector>

#include "reference/compare.h"
#include "reference/naive.h"
#include "reference/plain_attention.h"
#include "support/catch.h"

using namespace attune;
using attune_test::Fault;
using attune_test::float_lse;
using attune_test::output_tensor;
using attune_test::plain_attention;

namespace {

struct Trial {
  DType dtype;
  int64_t d, n;
  Mask mask;
  HostTensor q{dtype, {1, 1, n, d}}, k{dtype, {1, 1, n, d}}, v{dtype, {1, 1, n, d}};
  AttentionResult reference, naive;

  Trial(DType dtype_, int64_t d_, int64_t n_, Mask mask_) : dtype(dtype_), d(d_), n(n_), mask(mask_) {
    q.fill_random(1);
    k.fill_random(2);
    v.fill_random(3);
    reference = reference_attention({q, k, v, mask});
    naive = naive_attention({q, k, v, mask});
  }

  AttentionResult with(const Fault& fault) const { return plain_attention<float>({q, k, v, mask}, fault); }
  Comparison compare_o(const AttentionResult& result) const {
    return compare_tiles("o", output_tensor(dtype, result), reference.o, naive.o);
  }
  Comparison compare_both(const AttentionResult& result) const {
    return compare_attention(output_tensor(dtype, result), float_lse(result), reference, naive);
  }
};

Fault key_lost_in_second_half(int64_t n, int64_t key) {
  return {.lost = [=](int64_t i, int64_t j) { return i >= n / 2 && j == key; }};
}

template <typename Body>
void for_each_trial(const Body& body) {
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32}) {
    for (const int64_t d : {64, 128}) {
      for (const int64_t n : {128, 256, 512}) {
        for (const Mask mask : {Mask::none, Mask::causal}) {
          INFO(name_of(dtype) << " D " << d << " N " << n << " " << name_of(mask));
          body(Trial(dtype, d, n, mask));
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("O shows one key lost in the second half of the rows") {
  for_each_trial([](const Trial& trial) {
    std::vector<int64_t> keys{0, trial.n / 4, trial.n / 2};
    if (trial.mask == Mask::none) keys.push_back(trial.n - 1);
    for (const int64_t key : keys) {
      CHECK(trial.compare_o(trial.with(key_lost_in_second_half(trial.n, key))).worst_ratio > 2);
    }
  });
}

TEST_CASE("O and LSE together show the last key lost under a causal mask") {
  for_each_trial([](const Trial& trial) {
    if (trial.mask == Mask::none) return;
    for (const int64_t key : {trial.n - 2, trial.n - 1}) {
      CHECK(trial.compare_both(trial.with(key_lost_in_second_half(trial.n, key))).worst_ratio > 2);
    }
  });
}

TEST_CASE("O shows a dropped diagonal") {
  for_each_trial([](const Trial& trial) {
    for (const int64_t distance : {0, 17}) {
      const Fault fault{.lost = [=](int64_t i, int64_t j) { return i - j == distance; }};
      CHECK(trial.compare_o(trial.with(fault)).worst_ratio > 2);
    }
  });
}

TEST_CASE("O shows one row swapped with its neighbour") {
  for_each_trial([](const Trial& trial) {
    for (const int64_t row : {int64_t{0}, trial.n / 2 + 3, trial.n - 2}) {
      AttentionResult swapped = trial.naive;
      double* o = swapped.o.data() + row * trial.d;
      std::swap_ranges(o, o + trial.d, o + trial.d);
      CHECK(trial.compare_o(swapped).worst_ratio > 2);
    }
  });
}

TEST_CASE("O shows a scale off by one per cent, and LSE by far") {
  for_each_trial([](const Trial& trial) {
    for (const double factor : {0.99, 1.01}) {
      const AttentionResult result = trial.with({.scale_factor = factor});
      CHECK(trial.compare_o(result).worst_ratio > 1);
      CHECK(trial.compare_both(result).worst_ratio > 100);
    }
  });
}

// NOTE: with few visible keys in bf16 O hides a scale off by one per cent (ratio 0.7 at N = 16): it changes O
// by less than one rounding. This is the rule as it stands; LSE shows it there, too.
TEST_CASE("LSE shows a scale off by one per cent where O in bf16 does not") {
  const Trial trial(DType::bf16, 128, 16, Mask::causal);
  const AttentionResult result = trial.with({.scale_factor = 1.01});
  CHECK(trial.compare_o(result).ok);
  CHECK(trial.compare_both(result).worst_ratio > 100);
}

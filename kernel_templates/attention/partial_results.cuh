// Partial results of attention, over some of the keys each, and how they are put together: sums of P · V and
// of P are weighted by what their exponentials lack to be relative to the largest maximum.
#pragma once

#include "attention/partial_results.layout.h"
#include "attention/softmax.cuh"
#include "isa/isa.cuh"

namespace attune {

// What exponentials relative to one maximum are to be multiplied with, to be relative to a larger one.
ATTUNE_FN float weight_of(float row_maximum, float larger, float scale_log2) {
  return exp2_approximate(rounded_product(row_maximum, scale_log2) - offset_of(larger, scale_log2));
}

// 0 for a row that saw no key.
ATTUNE_FN float normalising(float sum) {
  return sum == 0 ? 0.0f : 1 / sum;
}

// What exponentials of a row are relative to, and their sum.
struct RowTotal {
  float maximum;
  float sum;
};

// Four neighbouring columns of a row of O.
struct Quad {
  float value[4];

  ATTUNE_FN void add(const Bytes16& part, float weight) {
    ATTUNE_UNROLL
    for (int e = 0; e < 4; ++e)
      value[e] = multiply_add(weight, float_of(part.word[e]), value[e]);
  }
  ATTUNE_FN Bytes16 bytes() const {
    return {bits_of(value[0]), bits_of(value[1]), bits_of(value[2]), bits_of(value[3])};
  }
};

// The weights of a row's `splits` partial results, normalised, by a warp. `statistics` are those of the
// first; those of the others follow every `pitch` floats.
ATTUNE_FN RowTotal weigh_splits(const Shared<float>& weights, const Global<const float>& statistics,
                                i64 pitch, int splits, float scale_log2) {
  RowTotal total{-infinity(), 0};
  ATTUNE_NO_UNROLL
  for (int split = lane_index(); split < splits; split += 32)
    total.maximum = maximum(total.maximum, statistics.load(split * pitch));
  total.maximum = warp_maximum(total.maximum);
  ATTUNE_NO_UNROLL
  for (int split = lane_index(); split < splits; split += 32) {
    const float weight = weight_of(statistics.load(split * pitch), total.maximum, scale_log2);
    total.sum = multiply_add(weight, statistics.load(split * pitch + 1), total.sum);
    weights.store(split, weight);
  }
  total.sum = warp_sum(total.sum);
  const float factor = normalising(total.sum);
  ATTUNE_NO_UNROLL
  for (int split = lane_index(); split < splits; split += 32)
    weights.store(split, weights.load(split) * factor);
  return total;
}

// The same four columns of all splits, each times its weight, in the order of the splits. `sums` are those of
// the first.
ATTUNE_FN Quad sum_of_splits(const Global<const float>& sums, i64 pitch, int splits,
                             const Shared<float>& weights) {
  constexpr int kBatch = 16;  // loads in flight: else their latencies would add up
  Quad total{};
  ATTUNE_NO_UNROLL
  for (int first = 0; first < splits; first += kBatch) {
    Bytes16 part[kBatch];
    ATTUNE_UNROLL
    for (int i = 0; i < kBatch; ++i) {
      part[i] = Bytes16{};
      if (first + i < splits) part[i] = sums.load16((first + i) * pitch);
    }
    ATTUNE_UNROLL
    for (int i = 0; i < kBatch; ++i) {
      if (first + i < splits) total.add(part[i], weights.load(first + i));
    }
  }
  return total;
}

}  // namespace attune

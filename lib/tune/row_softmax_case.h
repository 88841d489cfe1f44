// RowSoftmaxCase: one matrix with its softmax, to check a candidate of the operation row_softmax on.
#pragma once

#include <vector>

#include "reference/tensor.h"
#include "tune/validation.h"

namespace attune {

class RowSoftmaxCase final : public ValidationCase {
 public:
  // `problem` holds the actual sizes; `deviation` is that of the elements.
  RowSoftmaxCase(const Problem& problem, uint64_t seed, double deviation);

  Comparison check(Backend& backend, const Family& family, const Config& config,
                   const Module& module) const override;

 private:
  Problem problem_;
  HostTensor x_;
  std::vector<double> reference_;
};

}  // namespace attune

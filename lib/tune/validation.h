// Validation: a candidate computes small problems with odd lengths, fully masked rows and large logits, and
// is compared with the reference before it may be timed. A wrong candidate cannot win.
#pragma once

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "kernels/family.h"
#include "problem/problem.h"
#include "reference/compare.h"

namespace attune {

// One small problem with its inputs and reference, on a backend.
class ValidationCase {
 public:
  virtual ~ValidationCase() = default;
  // False where the candidate's fallback would take over: that one has to prove itself.
  virtual bool concerns(const Family&, const Config&) const { return true; }
  // Runs the candidate on poisoned outputs between canaries. Throws what launching throws.
  virtual Comparison check(Backend& backend, const Family& family, const Config& config,
                           const Module& module) const = 0;
};

// The verdict on a candidate that wrote beside its tensor.
Comparison canary_failure(const char* what);

// The problems that stand for `problem`: its static fields, other lengths. The reference is computed here,
// once.
class Validation {
 public:
  explicit Validation(const Problem& problem);
  ~Validation();

  // The worst of all cases; stops at the first that fails.
  Comparison check(Backend& backend, const Family& family, const Config& config, const Module& module) const;

 private:
  template <typename Case>
  void add_cases(const Problem& problem);

  std::vector<std::unique_ptr<ValidationCase>> cases_;
};

}  // namespace attune

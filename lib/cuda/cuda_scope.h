// Guards for the length of a scope: a context made current, and stream captures of this thread left alone.
#pragma once

#include "cuda/cuda_context.h"

namespace attune {

// Makes the context current if another is, and the other again at the end. Throws Error (CONTEXT_LOST).
class CurrentContext {
 public:
  explicit CurrentContext(const CudaContext& context);
  ~CurrentContext();
  CurrentContext(const CurrentContext&) = delete;
  CurrentContext& operator=(const CurrentContext&) = delete;

 private:
  const DriverApi* pushed_ = nullptr;
};

// Lets this thread allocate, load and wait while a stream is being captured, in this thread or another,
// without making that capture invalid. Never throws.
class RelaxedCapture {
 public:
  explicit RelaxedCapture(const Driver& driver);
  ~RelaxedCapture();
  RelaxedCapture(const RelaxedCapture&) = delete;
  RelaxedCapture& operator=(const RelaxedCapture&) = delete;

 private:
  const DriverApi& api_;
  int mode_;  // before
  bool exchanged_ = false;
};

// What everything but a launch runs in.
struct PlanningScope {
  explicit PlanningScope(const CudaContext& context) : current(context), relaxed(context.driver()) {}

  CurrentContext current;
  RelaxedCapture relaxed;
};

}  // namespace attune

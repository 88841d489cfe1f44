// BareLaunch: one launch with everything prepared: the yardstick for what an execute costs beside it.
#pragma once

#include "backend/backend.h"
#include "cuda/cuda_scope.h"

struct CUfunc_st;

namespace attune {

class BareLaunch {
 public:
  // `module` is one of the cuda backend. Its context is current for the life of this object; module and
  // launch must outlive it. Throws Error (CONTEXT_LOST).
  BareLaunch(const Module& module, const Launch& launch, Stream stream);
  BareLaunch(const BareLaunch&) = delete;
  BareLaunch& operator=(const BareLaunch&) = delete;

  // Grid, block, shared memory and parameters of the launch. Throws Error (LAUNCH_FAILED).
  void operator()();

 private:
  const CudaContext& context_;
  const CurrentContext current_;
  CUfunc_st* const function_;
  const Launch& launch_;
  const Stream stream_;
};

}  // namespace attune

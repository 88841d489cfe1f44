#include "cuda/cuda_scope.h"

#include <cuda.h>

#include "cuda/driver_api.inl"

namespace attune {

CurrentContext::CurrentContext(const CudaContext& context) {
  context.check_alive();
  const Driver& driver = context.driver();
  CUcontext current = nullptr;
  driver.check(driver.api().ctx_get_current(&current), "cuCtxGetCurrent");
  if (current == context.handle()) return;
  driver.check(driver.api().ctx_push_current(context.handle()), "cuCtxPushCurrent");
  pushed_ = &driver.api();
}

CurrentContext::~CurrentContext() {
  CUcontext popped = nullptr;
  if (pushed_) pushed_->ctx_pop_current(&popped);
}

RelaxedCapture::RelaxedCapture(const Driver& driver)
    : api_(driver.api()), mode_(CU_STREAM_CAPTURE_MODE_RELAXED) {
  CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
  exchanged_ = api_.exchange_capture_mode(&mode) == CUDA_SUCCESS;
  mode_ = mode;
}

RelaxedCapture::~RelaxedCapture() {
  CUstreamCaptureMode mode = static_cast<CUstreamCaptureMode>(mode_);
  if (exchanged_) api_.exchange_capture_mode(&mode);
}

}  // namespace attune

#include "cuda/cuda_context.h"

#include <cuda.h>

#include "cuda/cuda_scope.h"
#include "cuda/driver_api.inl"

namespace attune {

CudaContext::CudaContext(std::shared_ptr<const Driver> driver, int ordinal) : driver_(std::move(driver)) {
  CUcontext current = nullptr;
  if (ordinal < 0) driver_->check(api().ctx_get_current(&current), "cuCtxGetCurrent");
  if (current) {
    bind_current(current);
  } else {
    retain_primary(ordinal < 0 ? 0 : ordinal);
  }
  if (api().ctx_get_id) {
    const CUresult result = api().ctx_get_id(handle_, &id_);
    if (result != CUDA_SUCCESS) id_ = 0;
  }
}

CudaContext::~CudaContext() {
  // NOTE: not after a reset: the primary context of now is another one, and the retain went with the old.
  if (retained_ && alive()) api().primary_ctx_release(ordinal_);
}

void CudaContext::bind_current(CUctx_st* current) {
  handle_ = current;
  CUdevice device = 0;
  driver_->check(api().ctx_get_device(&device), "cuCtxGetDevice");
  ordinal_ = device;
  // The CUDA runtime's context is the primary one. It is retained so that it outlives other users' releases;
  // a context of the caller's own making is the caller's to keep.
  unsigned flags = 0;
  int active = 0;
  driver_->check(api().primary_ctx_get_state(device, &flags, &active), "cuDevicePrimaryCtxGetState");
  if (!active) return;
  CUcontext primary = nullptr;
  driver_->check(api().primary_ctx_retain(&primary, device), "cuDevicePrimaryCtxRetain");
  retained_ = primary == current;
  if (!retained_) api().primary_ctx_release(device);
}

void CudaContext::retain_primary(int ordinal) {
  const int count = driver_->device_count();
  if (ordinal >= count) {
    fail(ATTUNE_ERROR_NO_DEVICE,
         "device cuda:{} was asked for, but the driver sees {} GPU(s), numbered from 0", ordinal, count);
  }
  CUdevice device = 0;
  driver_->check(api().device_get(&device, ordinal), "cuDeviceGet", ATTUNE_ERROR_NO_DEVICE);
  RelaxedCapture relaxed(*driver_);
  driver_->check(api().primary_ctx_retain(&handle_, device), "cuDevicePrimaryCtxRetain");
  ordinal_ = device;
  retained_ = true;
}

bool CudaContext::alive() const noexcept {
  if (fork_.forked()) return false;
  if (id_ == 0) return true;  // the driver will say at the next call
  unsigned long long id = 0;
  return api().ctx_get_id(handle_, &id) == CUDA_SUCCESS && id == id_;
}

void CudaContext::check_alive() const {
  if (alive()) return;
  if (fork_.forked()) {
    fail(ATTUNE_ERROR_CONTEXT_LOST,
         "CUDA cannot be used in a process after fork: create the attune context in the child, and start "
         "children before "
         "CUDA is used (in Python: multiprocessing's \"spawn\")");
  }
  fail(ATTUNE_ERROR_CONTEXT_LOST,
       "the CUDA context of device {} was destroyed or reset: create the attune context anew", ordinal_);
}

}  // namespace attune

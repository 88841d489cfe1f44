#include "cuda/cuda_stream.h"

#include <cuda.h>

#include "cuda/cuda_scope.h"
#include "cuda/driver_api.inl"

namespace attune {

CudaStream::CudaStream(std::shared_ptr<const CudaContext> context) : context_(std::move(context)) {
  context_->driver().check(context_->api().stream_create(&handle_, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
}

CudaStream::~CudaStream() {
  if (!context_->alive()) return;  // the stream went with the context
  RelaxedCapture relaxed(context_->driver());
  context_->api().stream_destroy(handle_);
}

}  // namespace attune

// CudaStream: a stream of our own that neither waits for the default stream nor holds it up.
#pragma once

#include <memory>

#include "cuda/cuda_context.h"

struct CUstream_st;

namespace attune {

class CudaStream {
 public:
  // The context must be current. Throws Error.
  explicit CudaStream(std::shared_ptr<const CudaContext> context);
  ~CudaStream();
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;

  CUstream_st* handle() const { return handle_; }

 private:
  std::shared_ptr<const CudaContext> context_;
  CUstream_st* handle_ = nullptr;
};

}  // namespace attune

// CudaContext: the driver context that everything of one backend lives in.
#pragma once

#include <memory>

#include "base/fork_detector.h"
#include "cuda/driver.h"

struct CUctx_st;

namespace attune {

class CudaContext {
 public:
  // `ordinal` -1 binds the calling thread's current context, and without one device 0's primary context; else
  // that device's primary context. A primary context is retained. Throws Error (NO_DEVICE, OUT_OF_MEMORY).
  CudaContext(std::shared_ptr<const Driver> driver, int ordinal);
  ~CudaContext();
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  const Driver& driver() const { return *driver_; }
  const DriverApi& api() const { return driver_->api(); }
  int ordinal() const { return ordinal_; }
  CUctx_st* handle() const { return handle_; }

  // False after a fork, a reset of the device or the end of the context. Cheap: asked before each launch.
  bool alive() const noexcept;
  // Throws Error (CONTEXT_LOST) when not alive.
  void check_alive() const;

 private:
  void bind_current(CUctx_st* current);
  void retain_primary(int ordinal);

  std::shared_ptr<const Driver> driver_;
  ForkDetector fork_;
  CUctx_st* handle_ = nullptr;
  unsigned long long id_ = 0;  // tells a context from a later one at the same address; 0 before driver 12
  int ordinal_ = 0;
  bool retained_ = false;
};

}  // namespace attune

// Driver: the CUDA driver library, opened at run time, so that attune itself starts on machines without one.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"

namespace attune {

struct DriverApi;  // the function table: cuda/driver_api.inl, for the .cpp files of this room

class Driver {
 public:
  // Opens libcuda.so.1 and initialises it. Throws Error (NO_DEVICE) with the reason and the way out.
  static std::shared_ptr<const Driver> open();
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  const DriverApi& api() const { return *api_; }
  // Newest CUDA version whose code it loads, as CUDA counts: 13000 for 13.0.
  int cuda_version() const { return cuda_version_; }
  // "580.65.06"; "cuda13.0" where the system does not say.
  const std::string& release() const { return release_; }
  int device_count() const;

  // `result` is a CUresult. "CUDA_ERROR_OUT_OF_MEMORY (2, out of memory)".
  std::string describe(int result) const;
  // Throws Error with the status that fits, saying what was done: "cuMemAlloc: CUDA_ERROR_...". `invalid` is
  // the status of "invalid value": whose fault that is depends on the call. Not for success.
  [[noreturn]] void raise(int result, const std::string& what,
                          Status invalid = ATTUNE_ERROR_INVALID_ARGUMENT) const;
  void check(int result, const char* what, Status invalid = ATTUNE_ERROR_INVALID_ARGUMENT) const {
    if (result != 0) raise(result, what, invalid);
  }

 private:
  Driver();

  std::unique_ptr<DriverApi> api_;
  int cuda_version_ = 0;
  std::string release_;
};

// True when there is a driver with at least one GPU. Else false, and `why_not` (when not null) gets the
// reason.
bool cuda_available(std::string* why_not = nullptr);

}  // namespace attune

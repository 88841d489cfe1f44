// The cuda backend: a GPU through the driver, kernels through NVRTC, both opened at run time.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"
#include "base/log.h"

namespace attune {

// `ordinal` -1 binds the calling thread's current CUDA context, and without one device 0's primary context;
// else that device's primary context. `nvrtc_path` is a file or folder, empty to search; nothing is looked
// for before the compiler is first asked for. Throws Error (NO_DEVICE with the way out).
std::unique_ptr<Backend> make_cuda_backend(int ordinal, const std::string& nvrtc_path, const Log& log);

// The compiler that such a backend has, without a CUDA context: for a process that only compiles. Throws
// Error.
std::unique_ptr<Compiler> make_cuda_compiler(const std::string& arch, const std::string& nvrtc_path);

}  // namespace attune

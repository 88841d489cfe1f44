// Driver calls that a user of attune would make beside it, by name and without CUDA headers; and what the
// tests on a GPU share.
#pragma once

#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cuda/cuda_backend.h"
#include "cuda/driver.h"
#include "cuda/nvrtc_compiler.h"
#include "cuda/sources.h"
#include "support/catch.h"

// Ends the test case where there is no GPU or no NVRTC.
#define ATTUNE_NEED_GPU()                                       \
  if (std::string why; !cuda_available(&why)) ATTUNE_SKIP(why); \
  if (!have_nvrtc()) ATTUNE_SKIP("no NVRTC here")

struct CUctx_st;
struct CUgraph_st;
struct CUgraphExec_st;

namespace attune::test {

// The result of driver function `symbol`; the arguments' types must be those of its parameters.
template <typename... Args>
int driver_call(const char* symbol, Args... args) {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  REQUIRE(library);
  const auto function = reinterpret_cast<int (*)(Args...)>(dlsym(library, symbol));
  INFO(symbol);
  REQUIRE(function);
  return function(args...);
}

template <typename... Args>
void must(const char* symbol, Args... args) {
  const int result = driver_call(symbol, args...);
  INFO(symbol << " gives " << result);
  REQUIRE(result == 0);
}

inline CUctx_st* current_context() {
  CUctx_st* context = nullptr;
  must("cuCtxGetCurrent", &context);
  return context;
}

// A context of the caller's own on device 0, current while the object lives.
class OwnContext {
 public:
  OwnContext() {
    must("cuInit", 0u);
    must("cuCtxCreate_v2", &handle_, 0u, 0);
  }
  ~OwnContext() { destroy(); }

  CUctx_st* handle() const { return handle_; }
  void destroy() {
    if (handle_) driver_call("cuCtxDestroy_v2", handle_);
    handle_ = nullptr;
  }

 private:
  CUctx_st* handle_ = nullptr;
};

// A stream in the current context. `flags` 0: it waits for the default stream; 1: it does not.
class OwnStream {
 public:
  explicit OwnStream(unsigned flags = 1) { must("cuStreamCreate", &handle_, flags); }
  ~OwnStream() { driver_call("cuStreamDestroy_v2", handle_); }

  Stream handle() const { return handle_; }

 private:
  Stream handle_ = nullptr;
};

inline std::unique_ptr<Backend> make_backend(int ordinal = -1) {
  return make_cuda_backend(ordinal, "", Log());
}

// No Catch macros here: threads call this.
inline CompiledImage compile(Backend& backend, const KernelSource& source) {
  CompileResult result = backend.compiler().compile(source);
  if (!result.image) fail(ATTUNE_ERROR_COMPILE_FAILED, "{}", result.log);
  return std::move(*result.image);
}

// A launch with these parameters.
template <typename Params>
Launch make_launch(uint32_t grid, uint32_t block, const Params& params, uint32_t shared_bytes = 0) {
  Launch launch;
  launch.grid = grid;
  launch.block = block;
  launch.shared_bytes = shared_bytes;
  launch.parameter_bytes = sizeof(params);
  static_assert(sizeof(params) <= Launch::kMaxParameterBytes);
  std::memcpy(launch.parameters.data(), &params, sizeof(params));
  return launch;
}

// Kernel `twice` with its buffers: in[i] = i, out NaN.
class Twice {
 public:
  Twice(Backend& backend, int n, int offset = 3) : backend_(backend), n_(n), offset_(offset) {
    module_ = backend.load(compile(backend, twice_plus_offset(offset)), 0);
    in_ = static_cast<float*>(backend.allocate(bytes()));
    out_ = static_cast<float*>(backend.allocate(bytes()));
    std::vector<float> values(static_cast<size_t>(n));
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(i % 1024);
    backend.copy(in_, values.data(), bytes());
    poison();
  }
  ~Twice() {
    backend_.free(in_);
    backend_.free(out_);
  }

  const Module& module() const { return *module_; }
  Launch launch() const {
    return make_launch((static_cast<uint32_t>(n_) + 255) / 256, 256,
                       TwiceParams{.out = out_, .in = in_, .n = n_});
  }
  void poison() {
    const std::vector<float> nan(static_cast<size_t>(n_), std::nanf(""));
    backend_.copy(out_, nan.data(), bytes());
  }
  // Elements of out that are not what the kernel writes.
  size_t wrong() {
    std::vector<float> out(static_cast<size_t>(n_));
    backend_.copy(out.data(), out_, bytes());
    size_t count = 0;
    for (size_t i = 0; i < out.size(); ++i)
      count += out[i] == static_cast<float>(2 * (i % 1024)) + offset_ ? 0 : 1;
    return count;
  }

 private:
  size_t bytes() const { return sizeof(float) * static_cast<size_t>(n_); }

  Backend& backend_;
  int n_;
  float offset_;
  std::unique_ptr<Module> module_;
  float* in_ = nullptr;
  float* out_ = nullptr;
};

}  // namespace attune::test

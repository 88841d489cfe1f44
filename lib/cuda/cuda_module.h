// CudaModule: an image loaded in a context, with its kernel resident and ready to launch.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "backend/backend.h"
#include "cuda/cuda_context.h"

struct CUfunc_st;
struct CUlib_st;
struct CUmod_st;

namespace attune {

class CudaModule : public Module {
 public:
  // The context must be current. `shared_limit` is what a block of this device may opt in to. Throws Error
  // (LAUNCH_FAILED with the numbers, OUT_OF_MEMORY).
  CudaModule(std::shared_ptr<const CudaContext> context, const CompiledImage& image, uint32_t shared_bytes,
             int64_t shared_limit);
  ~CudaModule() override;
  CudaModule(const CudaModule&) = delete;
  CudaModule& operator=(const CudaModule&) = delete;

  int registers() const override { return registers_; }
  int local_bytes() const override { return local_bytes_; }
  int static_shared_bytes() const override { return static_shared_bytes_; }

  const CudaContext& context() const { return *context_; }
  CUfunc_st* function() const { return function_; }
  // Puts the launch into the stream; the context must be current. Throws Error (LAUNCH_FAILED).
  void launch(const Launch& launch, Stream stream) const;

 private:
  void load(const CompiledImage& image);
  void unload() noexcept;
  void prepare(uint32_t shared_bytes, int64_t shared_limit);

  std::shared_ptr<const CudaContext> context_;
  std::string entry_;
  CUlib_st* library_ = nullptr;  // one of the two
  CUmod_st* module_ = nullptr;
  CUfunc_st* function_ = nullptr;
  int registers_ = 0;
  int local_bytes_ = 0;
  int static_shared_bytes_ = 0;
};

}  // namespace attune

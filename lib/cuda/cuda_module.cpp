#include "cuda/cuda_module.h"

#include <cuda.h>

#include "cuda/cuda_scope.h"
#include "cuda/driver_api.inl"
#include "cuda/kernel_launch.h"

namespace attune {
namespace {

// What any kernel may use; more must be asked for.
constexpr int64_t kSharedWithoutOptIn = int64_t{48} * 1024;

}  // namespace

CudaModule::CudaModule(std::shared_ptr<const CudaContext> context, const CompiledImage& image,
                       uint32_t shared_bytes, int64_t shared_limit)
    : context_(std::move(context)), entry_(image.entry) {
  try {
    load(image);
    prepare(shared_bytes, shared_limit);
  } catch (...) {
    unload();
    throw;
  }
}

CudaModule::~CudaModule() {
  unload();
}

void CudaModule::load(const CompiledImage& image) {
  const Driver& driver = context_->driver();
  const DriverApi& api = driver.api();
  const auto check = [&](CUresult result, const char* call) {
    if (result != CUDA_SUCCESS)
      driver.raise(result, fmt::format("{} of kernel {}", call, entry_), ATTUNE_ERROR_LAUNCH_FAILED);
  };
  const bool has_libraries =
      api.library_load_data && api.library_unload && api.library_get_kernel && api.kernel_get_function;
  if (has_libraries) {
    check(api.library_load_data(&library_, image.bytes.data(), nullptr, nullptr, 0, nullptr, nullptr, 0),
          "cuLibraryLoadData");
    CUkernel kernel = nullptr;
    check(api.library_get_kernel(&kernel, library_, entry_.c_str()), "cuLibraryGetKernel");
    check(api.kernel_get_function(&function_, kernel), "cuKernelGetFunction");
  } else {  // before driver 12
    check(api.module_load_data(&module_, image.bytes.data()), "cuModuleLoadData");
    check(api.module_get_function(&function_, module_, entry_.c_str()), "cuModuleGetFunction");
  }
}

void CudaModule::unload() noexcept {
  try {
    if (!context_->alive()) return;  // the code went with the context
    PlanningScope scope(*context_);
    if (library_) context_->api().library_unload(library_);
    if (module_) context_->api().module_unload(module_);
  } catch (const Error&) {
    // Nothing is left to be undone.
  }
}

void CudaModule::prepare(uint32_t shared_bytes, int64_t shared_limit) {
  const Driver& driver = context_->driver();
  const DriverApi& api = driver.api();
  // Lazy loading would put the kernel on the device at its first launch, and that may be in a capture or in a
  // timing.
  if (api.func_load) driver.check(api.func_load(function_), "cuFuncLoad", ATTUNE_ERROR_LAUNCH_FAILED);
  const auto attribute = [&](CUfunction_attribute which) {
    int value = 0;
    driver.check(api.func_get_attribute(&value, which, function_), "cuFuncGetAttribute",
                 ATTUNE_ERROR_LAUNCH_FAILED);
    return value;
  };
  registers_ = attribute(CU_FUNC_ATTRIBUTE_NUM_REGS);
  local_bytes_ = attribute(CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES);
  static_shared_bytes_ = attribute(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);

  const int64_t shared = int64_t{shared_bytes} + static_shared_bytes_;
  if (shared > shared_limit) {
    fail(ATTUNE_ERROR_LAUNCH_FAILED, "kernel {}: smem {} > {} ({} dynamic + {} static)", entry_, shared,
         shared_limit, shared_bytes, static_shared_bytes_);
  }
  if (shared <= kSharedWithoutOptIn) return;
  const CUresult result = api.func_set_attribute(function_, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                                 static_cast<int>(shared_bytes));
  if (result != CUDA_SUCCESS) {
    driver.raise(result,
                 fmt::format("kernel {}: opting in to {} bytes of shared memory (limit {})", entry_,
                             shared_bytes, shared_limit),
                 ATTUNE_ERROR_LAUNCH_FAILED);
  }
}

void CudaModule::launch(const Launch& launch, Stream stream) const {
  const auto result = static_cast<CUresult>(launch_kernel(context_->api(), function_, launch, stream));
  if (result == CUDA_SUCCESS) return;
  context_->driver().raise(
      result,
      fmt::format("launch of kernel {} (grid {}, block {}, smem {}, parameters {} bytes)", entry_,
                  launch.grid, launch.block, launch.shared_bytes, launch.parameter_bytes),
      ATTUNE_ERROR_LAUNCH_FAILED);
}

}  // namespace attune

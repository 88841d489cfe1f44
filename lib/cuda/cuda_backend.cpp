#include "cuda/cuda_backend.h"

#include <cuda.h>

#include <cstdint>
#include <mutex>

#include "cuda/captured_graph.h"
#include "cuda/cuda_device.h"
#include "cuda/cuda_module.h"
#include "cuda/cuda_scope.h"
#include "cuda/cuda_tensor_maps.h"
#include "cuda/cuda_timer.h"
#include "cuda/driver_api.inl"
#include "cuda/nvrtc_compiler.h"

namespace attune {
namespace {

CUdeviceptr address_of(const void* pointer) {
  return reinterpret_cast<CUdeviceptr>(pointer);
}

class CudaBackend : public Backend {
 public:
  CudaBackend(int ordinal, std::string nvrtc_path, const Log& log);

  std::string_view name() const override { return "cuda"; }
  const DeviceSpec& device() const override { return device_; }
  std::string word() const override { return fmt::format("cuda:{}", context_->ordinal()); }
  Compiler& compiler() override;
  std::string driver_version() const override;
  bool timings_mean_speed() const override { return true; }

  void* allocate(size_t bytes) override;
  void free(void* pointer) noexcept override;
  void copy(void* destination, const void* source, size_t bytes) override;
  void fill(void* destination, unsigned char byte, size_t bytes, Stream stream) override;
  size_t free_bytes() const override;

  std::unique_ptr<Module> load(const CompiledImage& image, uint32_t shared_bytes) override;
  void launch(const Module& module, const Launch& launch, Stream stream) override;
  bool is_capturing(Stream stream) const override;
  void synchronize(Stream stream) override;
  const TensorMapEncoder* tensor_maps() const override { return &tensor_maps_; }
  Stream planning_stream() const override { return copy_stream_->handle(); }
  std::vector<double> time(const Module& module, const Launch& launch, int repetitions) override;
  bool can_replay() const override { return CapturedGraph::takes_early_launches(driver_); }
  std::vector<double> time_by_replay(const Module& module, const Launch& launch, int repetitions) override;

 private:
  NvrtcCompiler& nvrtc() const;
  const CudaModule& own(const Module& module) const;
  void check_stream(Stream stream) const;
  [[noreturn]] void refuse_stream(CUcontext other) const;
  bool default_stream_is_free() const;

  Log log_;
  std::string nvrtc_path_;
  std::shared_ptr<const CudaContext> context_;
  const Driver& driver_;
  const DriverApi& api_;
  DeviceSpec device_;
  std::unique_ptr<CudaStream> copy_stream_;
  CudaTimer timer_;
  CudaTensorMaps tensor_maps_;
  mutable std::mutex compiler_mutex_;
  mutable std::unique_ptr<NvrtcCompiler> compiler_;
};

CudaBackend::CudaBackend(int ordinal, std::string nvrtc_path, const Log& log)
    : log_(log),
      nvrtc_path_(std::move(nvrtc_path)),
      context_(std::make_shared<CudaContext>(Driver::open(), ordinal)),
      driver_(context_->driver()),
      api_(driver_.api()),
      device_(read_cuda_device(driver_, context_->ordinal())),
      timer_(context_, device_.l2_bytes),
      tensor_maps_(*context_) {
  PlanningScope scope(*context_);
  copy_stream_ = std::make_unique<CudaStream>(context_);
  log_.info("cuda: device {} is {} ({}, {} multiprocessors), driver {} for CUDA {}.{}", context_->ordinal(),
            device_.name, device_.arch, device_.multiprocessors, driver_.release(),
            driver_.cuda_version() / 1000, driver_.cuda_version() % 1000 / 10);
}

// A failed search is not remembered: the caller may install a compiler and try again.
NvrtcCompiler& CudaBackend::nvrtc() const {
  const std::lock_guard lock(compiler_mutex_);
  if (!compiler_) {
    const NvrtcSearch search = search_nvrtc(nvrtc_hints(nvrtc_path_), driver_.cuda_version());
    for (const NvrtcCandidate& tried : search.tried)
      log_.debug("nvrtc: {} {}: {}", tried.origin, tried.path, tried.result);
    compiler_ = std::make_unique<NvrtcCompiler>(search, device_.arch);
    log_.info("nvrtc: {} from {}", to_string(compiler_->version()), search.library->path());
  }
  return *compiler_;
}

Compiler& CudaBackend::compiler() {
  return nvrtc();
}

std::string CudaBackend::driver_version() const {
  std::string nvrtc_version = "none";
  try {
    nvrtc_version = to_string(nvrtc().version());
  } catch (const Error& error) {
    log_.debug("nvrtc: {}", error.what());
  }
  return fmt::format("driver {} nvrtc {}", driver_.release(), nvrtc_version);
}

void* CudaBackend::allocate(size_t bytes) {
  if (bytes == 0) return nullptr;
  PlanningScope scope(*context_);
  void* pointer = nullptr;  // the driver aligns to 512 bytes
  const CUresult result = api_.mem_alloc(reinterpret_cast<CUdeviceptr*>(&pointer), bytes);
  if (result == CUDA_SUCCESS) return pointer;
  size_t free = 0, total = 0;
  api_.mem_get_info(&free, &total);
  driver_.raise(result,
                fmt::format("allocating {} bytes of device memory ({} of {} free)", bytes, free, total));
}

void CudaBackend::free(void* pointer) noexcept {
  if (!pointer) return;
  try {
    if (!context_->alive()) return;  // the memory went with the context
    PlanningScope scope(*context_);
    api_.mem_free(address_of(pointer));
  } catch (const Error&) {
    // Nothing is left to be undone.
  }
}

// False while a stream that waits for the default stream is being captured: then touching the default stream
// would make that capture invalid. Asking does not.
bool CudaBackend::default_stream_is_free() const {
  CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
  return api_.stream_is_capturing(CU_STREAM_LEGACY, &status) == CUDA_SUCCESS &&
         status == CU_STREAM_CAPTURE_STATUS_NONE;
}

// Ordered as cudaMemcpy is: after what was queued in the default stream and in streams that wait for it.
void CudaBackend::copy(void* destination, const void* source, size_t bytes) {
  if (bytes == 0) return;
  PlanningScope scope(*context_);
  const CUstream stream = default_stream_is_free() ? CU_STREAM_LEGACY : copy_stream_->handle();
  const CUresult result = api_.memcpy_async(address_of(destination), address_of(source), bytes, stream);
  if (result != CUDA_SUCCESS) driver_.raise(result, fmt::format("copying {} bytes", bytes));
  driver_.check(api_.stream_synchronize(stream), "waiting for a copy, or for a kernel before it",
                ATTUNE_ERROR_LAUNCH_FAILED);
}

void CudaBackend::fill(void* destination, unsigned char byte, size_t bytes, Stream stream) {
  if (bytes == 0) return;
  CurrentContext current(*context_);
  check_stream(stream);
  const CUresult result = api_.memset_d8_async(address_of(destination), byte, bytes, stream);
  if (result != CUDA_SUCCESS) driver_.raise(result, fmt::format("filling {} bytes", bytes));
}

size_t CudaBackend::free_bytes() const {
  PlanningScope scope(*context_);
  size_t free = 0, total = 0;
  driver_.check(api_.mem_get_info(&free, &total), "cuMemGetInfo");
  return free;
}

std::unique_ptr<Module> CudaBackend::load(const CompiledImage& image, uint32_t shared_bytes) {
  PlanningScope scope(*context_);
  return std::make_unique<CudaModule>(context_, image, shared_bytes, device_.shared_per_block);
}

const CudaModule& CudaBackend::own(const Module& module) const {
  const auto& loaded =
      static_cast<const CudaModule&>(module);  // only load() makes modules that reach this backend
  if (&loaded.context() != context_.get()) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT,
         "the module was loaded by another backend (device {}, this is device {})",
         loaded.context().ordinal(), context_->ordinal());
  }
  return loaded;
}

// Allowed while the stream is being captured.
void CudaBackend::check_stream(Stream stream) const {
  // CUDA's own: NULL and the handles 1 (legacy) and 2 (per thread) mean the current context.
  if (reinterpret_cast<uintptr_t>(stream) <= reinterpret_cast<uintptr_t>(CU_STREAM_PER_THREAD)) return;
  CUcontext of_stream = nullptr;
  driver_.check(api_.stream_get_ctx(stream, &of_stream), "cuStreamGetCtx");
  if (of_stream != context_->handle()) refuse_stream(of_stream);
}

void CudaBackend::refuse_stream(CUcontext other) const {
  CUdevice device = -1;
  CUcontext popped = nullptr;
  if (api_.ctx_push_current(other) == CUDA_SUCCESS) {
    api_.ctx_get_device(&device);
    api_.ctx_pop_current(&popped);
  }
  fail(ATTUNE_ERROR_INVALID_ARGUMENT,
       "the stream belongs to {} (device {}), but this attune context to device {}",
       device == context_->ordinal() ? "another CUDA context" : "another device", device,
       context_->ordinal());
}

void CudaBackend::launch(const Module& module, const Launch& launch, Stream stream) {
  CurrentContext current(*context_);
  check_stream(stream);
  own(module).launch(launch, stream);
}

bool CudaBackend::is_capturing(Stream stream) const {
  CurrentContext current(*context_);
  check_stream(stream);
  CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
  const CUresult result = api_.stream_is_capturing(stream, &status);
  // The default stream, while a stream that waits for it is being captured.
  if (result == CUDA_ERROR_STREAM_CAPTURE_IMPLICIT) return true;
  driver_.check(result, "cuStreamIsCapturing");
  return status != CU_STREAM_CAPTURE_STATUS_NONE;
}

void CudaBackend::synchronize(Stream stream) {
  PlanningScope scope(*context_);
  check_stream(stream);
  driver_.check(api_.stream_synchronize(stream), "a kernel failed", ATTUNE_ERROR_LAUNCH_FAILED);
}

std::vector<double> CudaBackend::time(const Module& module, const Launch& launch, int repetitions) {
  PlanningScope scope(*context_);
  const CudaModule& loaded = own(module);
  return timer_.time(repetitions, [&](Stream stream) { loaded.launch(launch, stream); });
}

std::vector<double> CudaBackend::time_by_replay(const Module& module, const Launch& launch, int repetitions) {
  PlanningScope scope(*context_);
  const CudaModule& loaded = own(module);
  return timer_.replay(repetitions, [&](Stream stream) { loaded.launch(launch, stream); });
}

}  // namespace

std::unique_ptr<Compiler> make_cuda_compiler(const std::string& arch, const std::string& nvrtc_path) {
  const NvrtcSearch search = search_nvrtc(nvrtc_hints(nvrtc_path), Driver::open()->cuda_version());
  return std::make_unique<NvrtcCompiler>(search, arch);
}

std::unique_ptr<Backend> make_cuda_backend(int ordinal, const std::string& nvrtc_path, const Log& log) {
  return std::make_unique<CudaBackend>(ordinal, nvrtc_path, log);
}

}  // namespace attune

#include "cuda/driver.h"

#include <cuda.h>
#include <dlfcn.h>

#include <algorithm>
#include <string_view>

#include "base/files.h"
#include "cuda/driver_api.inl"

namespace attune {
namespace {

constexpr const char* kLibrary = "libcuda.so.1";
constexpr const char* kWayOut =
    "install an NVIDIA driver and check that nvidia-smi sees a GPU, or run without one: ATTUNE_DEVICE=simt "
    "(the CPU "
    "emulator) or ATTUNE_DEVICE=auto";

// NOTE: the library is never closed: the driver runs threads of its own, and other users of CUDA in this
// process hold it anyway.
void* open_library() {
  if (void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)) return library;
  const char* reason = dlerror();
  fail(ATTUNE_ERROR_NO_DEVICE, "no CUDA driver ({}): {}", reason ? reason : kLibrary, kWayOut);
}

DriverApi load_api(void* library) {
  constexpr bool required = true, optional = false;
  DriverApi api;
#define ATTUNE_DRIVER_LOAD(presence, member, symbol, parameters)                                             \
  api.member = reinterpret_cast<decltype(api.member)>(dlsym(library, symbol));                               \
  if (presence && !api.member) {                                                                             \
    fail(ATTUNE_ERROR_NO_DEVICE, "the CUDA driver is too old: {} has no {}; {}", kLibrary, symbol, kWayOut); \
  }
  ATTUNE_DRIVER_FUNCTIONS(ATTUNE_DRIVER_LOAD)
#undef ATTUNE_DRIVER_LOAD
  return api;
}

// First word that looks like "580.65.06"; empty without one.
std::string find_release(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789";
  size_t begin = text.find_first_of(kDigits);
  while (begin != std::string_view::npos) {
    const size_t end = std::min(text.find_first_not_of("0123456789.", begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    if (word.size() >= 5 && word.find('.') == 3) return std::string(word);
    begin = text.find_first_of(kDigits, end);
  }
  return {};
}

// The driver API tells only the CUDA version; the release is in the kernel module's files.
std::string read_release(int cuda_version) {
  for (const char* path : {"/sys/module/nvidia/version", "/proc/driver/nvidia/version"}) {
    std::string release = find_release(read_file(path).value_or(""));
    if (!release.empty()) return release;
  }
  return fmt::format("cuda{}.{}", cuda_version / 1000, cuda_version % 1000 / 10);
}

// LAUNCH_FAILED for what has no status of its own.
Status status_of(int result, Status invalid) {
  switch (result) {
    case CUDA_ERROR_OUT_OF_MEMORY:
      return ATTUNE_ERROR_OUT_OF_MEMORY;
    case CUDA_ERROR_DEINITIALIZED:
    case CUDA_ERROR_INVALID_CONTEXT:
    case CUDA_ERROR_CONTEXT_IS_DESTROYED:
    case CUDA_ERROR_NOT_INITIALIZED:  // it was: this is a child after fork
      return ATTUNE_ERROR_CONTEXT_LOST;
    case CUDA_ERROR_NO_DEVICE:
    case CUDA_ERROR_INVALID_DEVICE:
    case CUDA_ERROR_DEVICE_UNAVAILABLE:
      return ATTUNE_ERROR_NO_DEVICE;
    case CUDA_ERROR_INVALID_VALUE:
    case CUDA_ERROR_INVALID_HANDLE:
      return invalid;
    default:
      return ATTUNE_ERROR_LAUNCH_FAILED;
  }
}

}  // namespace

Driver::Driver() : api_(std::make_unique<DriverApi>(load_api(open_library()))) {
  if (const CUresult result = api_->init(0); result != CUDA_SUCCESS) {
    fail(ATTUNE_ERROR_NO_DEVICE, "the CUDA driver does not start: cuInit: {}; {}", describe(result), kWayOut);
  }
  check(api_->driver_get_version(&cuda_version_), "cuDriverGetVersion");
  release_ = read_release(cuda_version_);
  // Graphs know launches that begin early since CUDA 12.3, and any execute may be captured.
  constexpr int kCapturesEarlyLaunches = 12030;
  if (cuda_version_ < kCapturesEarlyLaunches) api_->launch_kernel_ex = nullptr;
}

Driver::~Driver() = default;

std::shared_ptr<const Driver> Driver::open() {
  return std::shared_ptr<const Driver>(new Driver);
}

int Driver::device_count() const {
  int count = 0;
  check(api_->device_get_count(&count), "cuDeviceGetCount");
  return count;
}

std::string Driver::describe(int result) const {
  const char* name = nullptr;
  const char* text = nullptr;
  api_->get_error_name(static_cast<CUresult>(result), &name);
  api_->get_error_string(static_cast<CUresult>(result), &text);
  return fmt::format("{} ({}, {})", name ? name : "unknown CUDA error", result,
                     text ? text : "no description");
}

void Driver::raise(int result, const std::string& what, Status invalid) const {
  fail(status_of(result, invalid), "{}: {}", what, describe(result));
}

bool cuda_available(std::string* why_not) {
  try {
    if (Driver::open()->device_count() > 0) return true;
    if (why_not) *why_not = fmt::format("the CUDA driver sees no GPU; {}", kWayOut);
  } catch (const Error& error) {
    if (why_not) *why_not = error.what();
  }
  return false;
}

}  // namespace attune

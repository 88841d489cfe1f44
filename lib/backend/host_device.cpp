#include "backend/host_device.h"

#include <cstdint>
#include <cstdlib>

#include "base/error.h"

namespace attune {

void* allocate_on_host(std::string_view backend, size_t bytes) {
  constexpr size_t kAlignment = 256;
  if (bytes == 0) return nullptr;
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  void* memory = rounded < bytes ? nullptr : std::aligned_alloc(kAlignment, rounded);
  if (!memory) fail(ATTUNE_ERROR_OUT_OF_MEMORY, "{}: no memory for {} bytes", backend, bytes);
  return memory;
}

void require_no_stream(std::string_view backend, Stream stream) {
  if (reinterpret_cast<uintptr_t>(stream) <= 2) return;
  fail(ATTUNE_ERROR_INVALID_ARGUMENT, "{} has no streams: pass NULL, not {}", backend,
       static_cast<const void*>(stream));
}

}  // namespace attune

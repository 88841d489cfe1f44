// What backends that compute on the host share: its memory, and streams that are not there.
#pragma once

#include <cstddef>
#include <string_view>

#include "backend/backend.h"

namespace attune {

// 256-byte aligned, to be given to std::free; null for 0 bytes. Throws Error (OUT_OF_MEMORY).
void* allocate_on_host(std::string_view backend, size_t bytes);

// The values that mean CUDA's default streams are what callers pass. Throws Error (INVALID_ARGUMENT) for
// others.
void require_no_stream(std::string_view backend, Stream stream);

}  // namespace attune

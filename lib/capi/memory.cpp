// Device memory and streams, for programs without CUDA headers.
#include "capi/context.h"

using namespace attune;

attune_status attune_memory_allocate(void** pointer, attune_context_t context, size_t bytes) {
  if (pointer) *pointer = nullptr;
  return boundary(context, [&](attune_context& known) {
    if (!pointer)
      fail(ATTUNE_ERROR_INVALID_ARGUMENT, "attune_memory_allocate of {} bytes: pointer is NULL", bytes);
    *pointer = known.backend->allocate(bytes);
  });
}

attune_status attune_memory_free(attune_context_t context, void* pointer) {
  return boundary(context, [&](attune_context& known) { known.backend->free(pointer); });
}

attune_status attune_memory_copy(attune_context_t context, void* destination, const void* source,
                                 size_t bytes) {
  return boundary(context, [&](attune_context& known) {
    if (bytes > 0 && (!destination || !source)) {
      fail(ATTUNE_ERROR_INVALID_ARGUMENT, "attune_memory_copy of {} bytes: {} is NULL", bytes,
           destination ? "source" : "destination");
    }
    known.backend->copy(destination, source, bytes);
  });
}

attune_status attune_stream_synchronize(attune_context_t context, struct CUstream_st* stream) {
  return boundary(context, [&](attune_context& known) { known.backend->synchronize(stream); });
}

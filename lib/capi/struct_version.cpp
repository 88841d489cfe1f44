#include "capi/struct_version.h"

#include "base/error.h"

namespace attune {
namespace {

// More than any version will have, so that a size left uninitialised does not send us through the caller's
// memory.
constexpr size_t kMaxStructBytes = 4096;

}  // namespace

size_t check_struct_size(const char* name, const void* given, size_t known, size_t least) {
  if (!given) fail(ATTUNE_ERROR_INVALID_ARGUMENT, "{}: NULL", name);
  size_t size = 0;
  std::memcpy(&size, given, sizeof(size));
  if (size < least) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT,
         "{}: struct_size = {}, but the smallest there is has {} bytes and this version's has {} (use its "
         "_INIT macro)",
         name, size, least, known);
  }
  if (size > kMaxStructBytes) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT,
         "{}: struct_size = {} is more than {} bytes, which no version has (use its _INIT macro)", name, size,
         kMaxStructBytes);
  }
  const auto* bytes = static_cast<const unsigned char*>(given);
  for (size_t offset = known; offset < size; ++offset) {
    if (bytes[offset] != 0) {
      fail(ATTUNE_ERROR_UNSUPPORTED,
           "{}: the byte at offset {} of {} is {}, but version {}.{}.{} knows only the first {} bytes, and "
           "those after them "
           "must be 0",
           name, offset, size, bytes[offset], ATTUNE_VERSION_MAJOR, ATTUNE_VERSION_MINOR,
           ATTUNE_VERSION_PATCH, known);
    }
  }
  return size;
}

}  // namespace attune

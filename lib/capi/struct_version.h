// Struct versions: public structs of older and newer callers, brought to the size this version knows.
#pragma once

#include <cstddef>
#include <cstring>

#include "attune/attune.h"

namespace attune {

// What is known of a versioned struct. Nobody passes less than `least` bytes: the first fields, without which
// no call makes sense, and those whose default is not zero, since what is missing reads as zero.
template <typename Struct>
struct StructVersion;

#define ATTUNE_STRUCT_VERSION(type, last_of_least)                                               \
  template <>                                                                                    \
  struct StructVersion<type> {                                                                   \
    static constexpr const char* name = #type;                                                   \
    static constexpr size_t least = offsetof(type, last_of_least) + sizeof(type::last_of_least); \
  }

ATTUNE_STRUCT_VERSION(attune_context_options, device);
ATTUNE_STRUCT_VERSION(attune_device_info, backend);
ATTUNE_STRUCT_VERSION(attune_attention_desc, max_seqlen_kv);
ATTUNE_STRUCT_VERSION(attune_attention_args, window_right);
ATTUNE_STRUCT_VERSION(attune_tune_options, seconds);

#undef ATTUNE_STRUCT_VERSION

// Returns the struct's size as its caller knows it. Throws Error: INVALID_ARGUMENT for NULL and for sizes
// that cannot be, UNSUPPORTED when bytes that this version does not know are not zero.
size_t check_struct_size(const char* name, const void* given, size_t known, size_t least);

// The given struct when it has this version's size, else a copy of it in `storage`, with zeros where it is
// shorter.
template <typename Struct>
const Struct& widened(const Struct* given, Struct& storage) {
  using Version = StructVersion<Struct>;
  const size_t size = check_struct_size(Version::name, given, sizeof(Struct), Version::least);
  if (size == sizeof(Struct)) return *given;
  std::memset(&storage, 0, sizeof(Struct));
  std::memcpy(&storage, given, size < sizeof(Struct) ? size : sizeof(Struct));
  storage.struct_size = sizeof(Struct);
  return storage;
}

// Fills the caller's struct, as far as its size goes; struct_size stays the caller's.
template <typename Struct>
void fill_struct(Struct* given, Struct filled) {
  using Version = StructVersion<Struct>;
  const size_t size = check_struct_size(Version::name, given, sizeof(Struct), Version::least);
  filled.struct_size = size;
  std::memcpy(given, &filled, size < sizeof(Struct) ? size : sizeof(Struct));
}

}  // namespace attune

// Image file: a CompiledImage as bytes on disk. What is read back is hostile input: every length is checked.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "compile/compiler.h"

namespace attune {

constexpr size_t kMaxImageFileBytes = size_t{256} << 20;

// Magic, format version and checksum, then the key, the image's fields and its bytes, each with its length
// before it. Numbers are little-endian. `log` is clipped to its last MiB; compile_seconds is not kept.
std::string encode_image(std::string_view key, const CompiledImage& image);

struct DecodedImage {
  std::optional<CompiledImage> image;
  // Without an image: the file is intact but of another format version, so no reason to throw it away.
  bool other_version = false;
  std::string reason;  // why there is no image
};

// Never throws but for lack of memory. `key` must be the one the file was written for.
DecodedImage decode_image(std::string_view key, std::string_view file);

}  // namespace attune

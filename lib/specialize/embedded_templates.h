// The text of kernel_templates/, compiled into the library. The definition is generated
// (cmake/EmbedTemplates.cmake).
#pragma once

#include <span>
#include <string_view>

namespace attune {

struct EmbeddedFile {
  std::string_view path;  // relative to kernel_templates/, e.g. "attention/mask.cuh"
  std::string_view text;
};

// Sorted by path.
std::span<const EmbeddedFile> embedded_templates();

}  // namespace attune

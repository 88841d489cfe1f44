// Element types of tensors: name, size and limits in one place.
#pragma once

#include <cstddef>
#include <string_view>

#include "attune/attune.h"

namespace attune {

enum class DType { f16 = ATTUNE_F16, bf16 = ATTUNE_BF16, f32 = ATTUNE_F32 };

constexpr size_t size_of(DType dtype) {
  return dtype == DType::f32 ? 4 : 2;
}

constexpr std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::f32:
      return "f32";
  }
  return "?";
}

}  // namespace attune

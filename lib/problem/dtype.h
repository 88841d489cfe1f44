// Element types of tensors: name, size and limits in one place.
#pragma once

#include <cstddef>
#include <string_view>

#include "attune/attune.h"

namespace attune {

enum class DType { f16 = ATTUNE_F16, bf16 = ATTUNE_BF16, f32 = ATTUNE_F32, f64 = ATTUNE_F64 };

constexpr size_t size_of(DType dtype) {
  return dtype == DType::f64 ? 8 : dtype == DType::f32 ? 4 : 2;
}

// Of the statistics, LSE among them: f32, but f64 for f64.
constexpr DType statistics_dtype(DType dtype) {
  return dtype == DType::f64 ? DType::f64 : DType::f32;
}

constexpr std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::f32:
      return "f32";
    case DType::f64:
      return "f64";
  }
  return "?";
}

}  // namespace attune

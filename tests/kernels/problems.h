// Problems, devices and addresses that the tests of the host twins share.
#pragma once

#include <cstdint>

#include "kernels/registry.h"

namespace attune {

constexpr DType kTypes[] = {DType::f16, DType::bf16, DType::f32, DType::f64};

inline const Family& flash_fwd() {
  return *find_family("flash_fwd");
}

inline void* address(uintptr_t value) {
  return reinterpret_cast<void*>(value);
}

inline DeviceSpec device(const char* arch) {
  return known_device(arch).value();
}

inline Problem attention(DType dtype, int64_t head_dim) {
  return {.dtype = dtype,
          .batch = 2,
          .heads_q = 16,
          .heads_kv = 16,
          .seqlen_q = 4096,
          .seqlen_kv = 4096,
          .head_dim = head_dim,
          .head_dim_v = head_dim};
}

inline const Problem kRows{.operation = Operation::row_softmax,
                           .dtype = DType::f32,
                           .batch = 2,
                           .heads_q = 3,
                           .heads_kv = 3,
                           .seqlen_q = 5,
                           .seqlen_kv = 203};

}  // namespace attune

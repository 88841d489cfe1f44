// Kernel sources made by hand, so that this room is tested without the specialiser and the shipped templates.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "compile/compiler.h"
#include "cuda/nvrtc_search.h"

namespace attune::test {

inline KernelSource make_source(const std::string& entry, const std::string& text,
                                std::vector<SourceFile> headers = {}) {
  KernelSource source;
  source.entry = entry;
  source.main_path = entry + ".cuh";
  source.files = std::move(headers);
  source.files.push_back({.path = source.main_path, .text = text});
  source.hash = content_hash(text);
  return source;
}

// out[i] = 2 · in[i] + OFFSET, through a header in a folder and a generated one.
inline KernelSource twice_plus_offset(int offset) {
  return make_source(
      "twice",
      "#include \"attention/twice.cuh\"\n"
      "#include \"attune_config.h\"\n"
      "struct Params { float* out; const float* in; int n; };\n"
      "extern \"C\" __global__ void twice(Params p) {\n"
      "  const int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
      "  if (i < p.n) p.out[i] = twice_of(p.in[i]) + OFFSET;\n"
      "}\n",
      {{.path = "attention/twice.cuh", .text = "#pragma once\nfloat twice_of(float x) { return 2 * x; }\n"},
       {.path = "attune_config.h", .text = "#define OFFSET " + std::to_string(offset) + "\n"}});
}

// As the kernel's parameters above.
struct TwiceParams {
  float* out;
  const float* in;
  int n;
};

// Whether there is an NVRTC to test with.
inline bool have_nvrtc() {
  return search_nvrtc(nvrtc_hints(""), std::nullopt).library != nullptr;
}

// The status and message that a call throws; ATTUNE_OK and "" when it returns.
struct Thrown {
  Status status = ATTUNE_OK;
  std::string message;
};

template <typename Call>
Thrown thrown_by(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return {.status = error.status(), .message = error.what()};
  }
  return {};
}

}  // namespace attune::test

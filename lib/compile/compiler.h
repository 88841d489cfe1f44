// Compiler: turns a KernelSource into a CompiledImage. NVRTC and the emulator's host compiler are behind it.
#pragma once

#include <optional>
#include <string>

#include "specialize/kernel_source.h"

namespace attune {

struct CompiledImage {
  std::string bytes;    // cubin, or the emulator's shared object
  std::string entry;    // kernel name
  std::string log;      // the compiler's messages
  std::string hash;     // content hash of `bytes`
  int registers = 0;    // per thread; 0 when the compiler does not say
  int spill_bytes = 0;  // stores + loads, per thread
  int static_shared_bytes = 0;
  double compile_seconds = 0;  // 0 when it came from the cache
};

// How a compilation ended: with an answer, or with the compiler's own end.
enum class CompileEnd { answered, crashed, timed_out };

// A failed compilation is an expected outcome: no image, and the log says why.
struct CompileResult {
  std::optional<CompiledImage> image;
  std::string log;
  CompileEnd end = CompileEnd::answered;
};

class Compiler {
 public:
  virtual ~Compiler() = default;

  // Everything but the source that decides the image: "nvrtc 13.0 sm_90a -std=c++17 ...".
  virtual std::string identity() const = 0;
  // Thread-safe. Throws Error (NO_COMPILER) only when there is no compiler to ask.
  virtual CompileResult compile(const KernelSource& source) = 0;
};

// The cache key of an image.
std::string image_key(const Compiler& compiler, const KernelSource& source);

}  // namespace attune

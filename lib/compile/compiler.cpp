#include "compile/compiler.h"

#include <fmt/format.h>

#include "base/hash.h"

namespace attune {

std::string image_key(const Compiler& compiler, const KernelSource& source) {
  return content_hash(fmt::format("{}\n{}\n{}", source.hash, source.entry, compiler.identity()));
}

}  // namespace attune

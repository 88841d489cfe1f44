// The 128-byte swizzle of the copy engine.
#pragma once

#include <cstdint>

namespace attune::simt {

// Where it puts a line: its place within a row of 128 bytes is mixed with the row's place among eight.
constexpr int64_t swizzled(int64_t offset) {
  return offset ^ (offset >> 3 & 0x70);
}

}  // namespace attune::simt

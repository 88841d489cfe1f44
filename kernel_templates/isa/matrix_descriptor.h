// How warpgroup products are told of a matrix in shared memory (the "matrix descriptor" of wgmma): one
// formula for GPU and emulator.
#pragma once

namespace attune {

// Matrices of 16-bit elements whose rows lie in panels of 128 bytes, swizzled, as tensor copies write them.
// `address` is where the matrix starts: a row on a boundary of 1024 bytes, plus the bytes of a column.
//   stride_bytes    from eight rows to the next eight: 1024
//   leading_bytes   from a panel of 64 columns to the next, where the columns are those of the result (a
//                   transposed B); else ignored, since a step of 16 columns never leaves its panel
ATTUNE_FN u64 matrix_descriptor(u32 address, u32 leading_bytes, u32 stride_bytes = 1024) {
  constexpr u64 kSwizzle128Bytes = u64{1} << 62;
  return (address & 0x3ffffu) >> 4 | static_cast<u64>(leading_bytes >> 4) << 16 |
         static_cast<u64>(stride_bytes >> 4) << 32 | kSwizzle128Bytes;
}

// The same matrix from `bytes` further on.
ATTUNE_FN u64 advance(u64 descriptor, u32 bytes) {
  return descriptor + (bytes >> 4);
}

}  // namespace attune

// Tiles and shared memory of flash_fwd: one formula for the kernel and for the host's budget.
#pragma once

namespace attune {

// Shared memory, from byte 0:   Q [block_m] | K ring [stages][block_n] | V ring [stages][block_n]
// Every row is padded to an odd number of 16-byte chunks, so that the eight rows of a matrix load fall into
// different banks, for every head dimension and without a swizzle. The output tile is staged in Q's place.
struct FlashFwdLayout {
  int element_bytes;
  int head_dim;
  int block_m;  // query rows of a block
  int block_n;  // keys of a step
  int stages;   // K and V tiles in flight

  // Columns a product runs over: whole k-steps of 16, zero beyond head_dim.
  constexpr int padded_dim() const { return (head_dim + 15) / 16 * 16; }
  constexpr int row_elements() const { return padded_dim() + 16 / element_bytes; }
  constexpr int row_bytes() const { return row_elements() * element_bytes; }

  constexpr int q_offset() const { return 0; }
  constexpr int k_offset(int slot) const { return (block_m + slot * block_n) * row_bytes(); }
  constexpr int v_offset(int slot) const { return (block_m + (stages + slot) * block_n) * row_bytes(); }
  constexpr int shared_bytes() const { return (block_m + 2 * stages * block_n) * row_bytes(); }
};

}  // namespace attune

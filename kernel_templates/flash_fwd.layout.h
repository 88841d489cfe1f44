// Tiles and shared memory of flash_fwd: one formula for the kernel and for the host's budget.
#pragma once

namespace attune {

// Shared memory, from byte 0:   Q [block_m] | K ring [stages][block_n] | V ring [stages][block_n] | barriers
// Rows of 16-bit elements are dense and swizzled (tile/shared_tile.cuh). Rows of wider elements are read by
// ordinary loads, where a swizzle would cost instructions: they are padded to an odd number of 16-byte chunks
// instead. The output tile is staged in Q's place. Tensor copies need a barrier for each slot of the rings.
struct FlashFwdLayout {
  int element_bytes;
  int head_dim;    // of q and k
  int head_dim_v;  // of v and o
  int block_m;     // query rows of a block
  int block_n;     // keys of a step
  int stages;      // K and V tiles in flight
  bool tensor_copies;
  bool tensor_products =
      false;  // of f32: rows of whole eights of chunks, so that products read no bank twice

  // Columns a product runs over: whole k-steps of 16, or groups of 32, zero beyond the head dimension.
  constexpr int padded(int dim) const {
    return tensor_products ? (dim + 31) / 32 * 32 : (dim + 15) / 16 * 16;
  }
  constexpr int padded_dim() const { return padded(head_dim); }
  constexpr int padded_dim_v() const { return padded(head_dim_v); }

  constexpr int row_chunks(int dim) const {
    return padded(dim) * element_bytes / 16 + (element_bytes > 2 && !tensor_products ? 1 : 0);
  }
  constexpr int k_row_chunks() const { return row_chunks(head_dim); }
  constexpr int v_row_chunks() const { return row_chunks(head_dim_v); }

  constexpr int q_bytes() const {
    return 16 * block_m * (head_dim > head_dim_v ? k_row_chunks() : v_row_chunks());
  }
  constexpr int k_tile_bytes() const { return 16 * block_n * k_row_chunks(); }
  constexpr int v_tile_bytes() const { return 16 * block_n * v_row_chunks(); }

  constexpr int q_offset() const { return 0; }
  constexpr int k_offset(int slot) const { return q_bytes() + slot * k_tile_bytes(); }
  constexpr int v_offset(int slot) const {
    return q_bytes() + stages * k_tile_bytes() + slot * v_tile_bytes();
  }
  constexpr int k_barrier_offset(int slot) const { return v_offset(stages) + 8 * slot; }
  constexpr int v_barrier_offset(int slot) const { return k_barrier_offset(stages + slot); }
  constexpr int shared_bytes() const { return v_offset(stages) + (tensor_copies ? 16 * stages : 0); }
};

}  // namespace attune

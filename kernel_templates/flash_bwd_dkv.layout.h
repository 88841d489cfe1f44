// Tiles and shared memory of flash_bwd_dkv: one formula for the kernel and for the host's budget.
#pragma once

namespace attune {

// Shared memory, from byte 0:
//   K [block_n] | V [block_n] | Q ring [stages][block_m] | dO ring [stages][block_m] | row terms
//   [stages][block_m]
// Rows are laid out as those of flash_fwd. dK and dV are staged in the places of K and V.
struct FlashBwdDkvLayout {
  int element_bytes;
  int head_dim;    // of q and k
  int head_dim_v;  // of v and dout
  int block_m;     // query rows of a step
  int block_n;     // keys of a block
  int stages;      // Q and dO tiles in flight
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

  constexpr int q_tile_bytes() const { return 16 * block_m * k_row_chunks(); }
  constexpr int dout_tile_bytes() const { return 16 * block_m * v_row_chunks(); }
  constexpr int terms_bytes() const { return 2 * block_m * (element_bytes == 8 ? 8 : 4); }

  constexpr int k_offset() const { return 0; }
  constexpr int v_offset() const { return 16 * block_n * k_row_chunks(); }
  constexpr int q_offset(int slot) const {
    return v_offset() + 16 * block_n * v_row_chunks() + slot * q_tile_bytes();
  }
  constexpr int dout_offset(int slot) const { return q_offset(stages) + slot * dout_tile_bytes(); }
  constexpr int terms_offset(int slot) const { return dout_offset(stages) + slot * terms_bytes(); }
  constexpr int shared_bytes() const { return terms_offset(stages); }
};

}  // namespace attune

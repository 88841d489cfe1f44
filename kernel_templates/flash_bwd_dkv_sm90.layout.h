// Tiles and shared memory of flash_bwd_dkv_sm90: one formula for the kernel and for the host's budget.
#pragma once

namespace attune {

// Shared memory, from byte 0:
//   K [block_n] | V [block_n] | Q ring [stages][block_m] | dO ring [stages][block_m] | row terms
//   [stages][block_m] | barriers
// Tiles are in panels of 64 columns (tile/shared_tile.cuh). dK and dV are staged in the places of K and V.
struct FlashBwdDkvSm90Layout {
  int head_dim;    // of q and k, a multiple of 64
  int head_dim_v;  // of v and dout, too
  int block_m;     // query rows of a step
  int block_n;     // keys of a block
  int stages;      // Q and dO tiles in flight

  constexpr int q_tile_bytes() const { return 2 * block_m * head_dim; }
  constexpr int dout_tile_bytes() const { return 2 * block_m * head_dim_v; }
  constexpr int terms_bytes() const { return 8 * block_m; }

  constexpr int k_offset() const { return 0; }
  constexpr int v_offset() const { return 2 * block_n * head_dim; }
  constexpr int q_offset(int slot) const {
    return v_offset() + 2 * block_n * head_dim_v + slot * q_tile_bytes();
  }
  constexpr int dout_offset(int slot) const { return q_offset(stages) + slot * dout_tile_bytes(); }
  constexpr int terms_offset(int slot) const { return dout_offset(stages) + slot * terms_bytes(); }
  // Of K and V, of the Q ring and of the dO ring.
  constexpr int fixed_barrier_offset() const { return terms_offset(stages); }
  constexpr int q_barriers_offset() const { return fixed_barrier_offset() + 8; }
  constexpr int dout_barriers_offset() const { return q_barriers_offset() + 16 * stages; }
  constexpr int shared_bytes() const { return dout_barriers_offset() + 16 * stages; }
};

}  // namespace attune

// Tiles and shared memory of flash_bwd_dq_sm90: one formula for the kernel and for the host's budget.
#pragma once

namespace attune {

// Shared memory, from byte 0:
//   Q [block_m] | dO [block_m] | K ring [stages][block_n] | V ring [stages][block_n] | barriers
// Tiles are in panels of 64 columns (tile/shared_tile.cuh). dQ is staged in Q's place.
struct FlashBwdDqSm90Layout {
  int head_dim;    // of q and k, a multiple of 64
  int head_dim_v;  // of v and dout, too
  int block_m;     // query rows of a block
  int block_n;     // keys of a step
  int stages;      // K and V tiles in flight

  constexpr int k_tile_bytes() const { return 2 * block_n * head_dim; }
  constexpr int v_tile_bytes() const { return 2 * block_n * head_dim_v; }

  constexpr int q_offset() const { return 0; }
  constexpr int dout_offset() const { return 2 * block_m * head_dim; }
  constexpr int k_offset(int slot) const {
    return dout_offset() + 2 * block_m * head_dim_v + slot * k_tile_bytes();
  }
  constexpr int v_offset(int slot) const { return k_offset(stages) + slot * v_tile_bytes(); }
  // Of Q and dO, of the K ring and of the V ring.
  constexpr int fixed_barrier_offset() const { return v_offset(stages); }
  constexpr int k_barriers_offset() const { return fixed_barrier_offset() + 8; }
  constexpr int v_barriers_offset() const { return k_barriers_offset() + 16 * stages; }
  constexpr int shared_bytes() const { return v_barriers_offset() + 16 * stages; }
};

}  // namespace attune

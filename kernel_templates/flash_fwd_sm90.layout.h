// Tiles and shared memory of flash_fwd_sm90: one formula for the kernel and for the host's budget.
#pragma once

namespace attune {

// Shared memory, from byte 0:
//   Q [consumers][64] | O [consumers][64] | K ring [stages][block_n] | V ring [stages][block_n] | barriers
// O is there only where it is staged. Tiles are in panels of 64 columns (tile/shared_tile.cuh), the last of
// which may be partial.
struct FlashFwdSm90Layout {
  int head_dim;    // of q and k, a multiple of 8
  int head_dim_v;  // of v and o, too
  int consumers;   // warpgroups of 64 query rows
  int block_n;     // keys of a step
  int stages;      // K and V tiles in flight

  static constexpr int panels(int columns) { return (columns + 63) / 64; }
  // Columns of the output that are computed: the head dimension itself, the N of P · V.
  static constexpr int output_columns(int head_dim_v) { return head_dim_v; }

  // Blocks of a multiprocessor. One consumer leaves half of the registers to another block; products of more
  // than 192 columns of output do not compile for so few at launch.
  static constexpr int blocks(int consumers, int head_dim_v) {
    return consumers == 1 && output_columns(head_dim_v) <= 192 ? 2 : 1;
  }

  constexpr int q_tile_bytes() const { return 128 * 64 * panels(head_dim); }
  constexpr int k_tile_bytes() const { return 128 * block_n * panels(head_dim); }
  constexpr int v_tile_bytes() const { return 128 * block_n * panels(head_dim_v); }
  // Outputs go through shared memory where Q, K and V leave room for them.
  static constexpr bool stages_output(int consumers, int head_dim, int head_dim_v) {
    return consumers > 1 && panels(head_dim) <= 2 && panels(head_dim_v) <= 2;
  }
  constexpr int o_tile_bytes() const {
    return stages_output(consumers, head_dim, head_dim_v) ? 128 * 64 * panels(head_dim_v) : 0;
  }

  constexpr int q_offset(int consumer) const { return consumer * q_tile_bytes(); }
  constexpr int o_offset(int consumer) const { return q_offset(consumers) + consumer * o_tile_bytes(); }
  constexpr int k_offset(int slot) const { return o_offset(consumers) + slot * k_tile_bytes(); }
  constexpr int v_offset(int slot) const { return k_offset(stages) + slot * v_tile_bytes(); }
  // Two for each consumer's Q, two for each slot, and one for each consumer's turn.
  constexpr int q_barriers_offset(int consumer) const { return v_offset(stages) + 16 * consumer; }
  constexpr int k_barriers_offset() const { return q_barriers_offset(consumers); }
  constexpr int v_barriers_offset() const { return k_barriers_offset() + 16 * stages; }
  constexpr int turns_offset() const { return v_barriers_offset() + 16 * stages; }
  constexpr int shared_bytes() const { return turns_offset() + 8 * consumers; }
};

}  // namespace attune

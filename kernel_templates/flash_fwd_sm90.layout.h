// Tiles and shared memory of flash_fwd_sm90: one formula for the kernel and for the host's budget.
#pragma once

namespace attune {

// Shared memory, from byte 0:
//   rows [consumers][row slots][64] | K ring [stages][block_n] | V ring [stages][block_n] | O [64] | pieces |
//   barriers
// A row slot holds the Q of a tile and then, where there is room for two, its O; else consumers stage O in
// turn in the one place for it, if there is room for that. A slot's piece tells the consumer what it
// computes. Tiles are in panels of 64 columns (tile/shared_tile.cuh), the last of which may be partial.
struct FlashFwdSm90Layout {
  int head_dim;    // of q and k, a multiple of 8
  int head_dim_v;  // of v and o, too
  int consumers;   // warpgroups of 64 query rows
  int block_n;     // keys of a step
  int stages;      // K and V tiles in flight
  int persistent;  // a block computes several tiles

  static constexpr int kBlockBytes = 227 * 1024;  // what a block may have of sm_90
  static constexpr int kMostSmall = 1024;         // bytes of barriers and pieces

  static constexpr int panels(int columns) { return (columns + 63) / 64; }
  // Columns of the output that are computed: the head dimension itself, the N of P · V.
  static constexpr int output_columns(int head_dim_v) { return head_dim_v; }

  // Blocks of a multiprocessor. One consumer leaves half of the registers to another block; products of more
  // than 192 columns of output do not compile for so few at launch.
  static constexpr int blocks(int consumers, int head_dim_v) {
    return consumers == 1 && output_columns(head_dim_v) <= 192 ? 2 : 1;
  }

  // Outputs are staged in row slots where K and V leave room for two of them.
  constexpr bool stages_output() const {
    return consumers > 1 && panels(head_dim) <= 2 && panels(head_dim_v) <= 2;
  }
  // Else both of two consumers stage theirs in one place, one after the other. (Of three, all warps of the
  // first warpgroup have other work.)
  constexpr bool shares_output() const {
    const int others = consumers * row_slot_bytes() + stages * (k_tile_bytes() + v_tile_bytes());
    return consumers == 2 && persistent != 0 && !stages_output() &&
           others + o_tile_bytes() + kMostSmall <= kBlockBytes;
  }
  // Where they are more than one, the next tile's Q comes while this one's O goes. With three the Q of a tile
  // of one step does not wait for that either.
  constexpr int row_slots() const {
    if (!stages_output() || persistent == 0) return 1;
    const int with_three = consumers * 3 * row_slot_bytes() + stages * (k_tile_bytes() + v_tile_bytes());
    return with_three + kMostSmall <= kBlockBytes ? 3 : 2;
  }

  constexpr int q_tile_bytes() const { return 128 * 64 * panels(head_dim); }
  constexpr int o_tile_bytes() const { return 128 * 64 * panels(head_dim_v); }
  constexpr int k_tile_bytes() const { return 128 * block_n * panels(head_dim); }
  constexpr int v_tile_bytes() const { return 128 * block_n * panels(head_dim_v); }
  constexpr int row_slot_bytes() const {
    return stages_output() && o_tile_bytes() > q_tile_bytes() ? o_tile_bytes() : q_tile_bytes();
  }

  constexpr int rows_offset(int consumer, int slot) const {
    return (consumer * row_slots() + slot) * row_slot_bytes();
  }
  constexpr int k_offset(int slot) const { return rows_offset(consumers, 0) + slot * k_tile_bytes(); }
  constexpr int v_offset(int slot) const { return k_offset(stages) + slot * v_tile_bytes(); }
  constexpr int o_offset() const { return v_offset(stages); }  // of O that consumers stage in turn
  static constexpr int piece_bytes() { return 24; }
  constexpr int piece_offset(int consumer, int slot) const {
    const int first = o_offset() + (shares_output() ? o_tile_bytes() : 0);
    return first + (consumer * row_slots() + slot) * piece_bytes();
  }
  // Of each row slot: Q is there, it is empty, O is there. Of each K and V slot: full, empty. One for each
  // consumer's turn; and where they share the place of O one for each one's turn there, and: it is full.
  constexpr int row_barriers_offset(int consumer) const {
    return piece_offset(consumers, 0) + 24 * row_slots() * consumer;
  }
  constexpr int k_barriers_offset() const { return row_barriers_offset(consumers); }
  constexpr int v_barriers_offset() const { return k_barriers_offset() + 16 * stages; }
  constexpr int turns_offset() const { return v_barriers_offset() + 16 * stages; }
  constexpr int output_turns_offset() const { return turns_offset() + 8 * consumers; }
  constexpr int output_full_offset() const { return output_turns_offset() + 8 * consumers; }
  constexpr int shared_bytes() const {
    return shares_output() ? output_full_offset() + 8 : output_turns_offset();
  }
};

}  // namespace attune

// Tiles and shared memory of flash_decode: one formula for the kernel and for the host's budget.
#pragma once

#include "attention/partial_results.layout.h"

namespace attune {

// Shared memory, from byte 0:   Q [block_m] | of each warp a ring of slots, each K [block_n] | V [block_n]
// and once all keys are multiplied, in the place of the rings:
//                               sums of the warps | statistics of the warps | a word | weights of the splits
// Rows of K, V and Q are dense and swizzled (tile/shared_tile.cuh).
struct FlashDecodeLayout {
  int head_dim;    // of q and k
  int head_dim_v;  // of v and o
  int block_m;     // packed query rows of a block
  int block_n;     // keys of a warp's step
  int warps;
  int stages;  // slots of a warp's ring

  static constexpr int padded(int dim) { return (dim + 15) / 16 * 16; }
  constexpr int padded_dim() const { return padded(head_dim); }
  constexpr int padded_dim_v() const { return padded(head_dim_v); }
  constexpr int k_row_chunks() const { return padded_dim() / 8; }
  constexpr int v_row_chunks() const { return padded_dim_v() / 8; }

  // Row fragments of Q are kept in registers, where they are few.
  constexpr int fragments() const { return block_m / 16; }
  constexpr bool q_in_registers() const { return fragments() * padded_dim() <= 128; }

  constexpr int q_bytes() const { return 16 * block_m * k_row_chunks(); }
  constexpr int k_tile_bytes() const { return 16 * block_n * k_row_chunks(); }
  constexpr int slot_bytes() const { return k_tile_bytes() + 16 * block_n * v_row_chunks(); }
  constexpr int ring_offset(int warp) const { return q_bytes() + warp * stages * slot_bytes(); }

  // Floats from a row of sums to the next: eight rows that a warp writes two columns of at once fall into
  // different banks.
  constexpr int sums_pitch() const { return padded_dim_v() + 8; }
  constexpr int sums_offset() const { return q_bytes(); }
  constexpr int statistics_offset() const { return sums_offset() + 4 * warps * block_m * sums_pitch(); }
  constexpr int word_offset() const { return statistics_offset() + 8 * warps * block_m; }
  constexpr int weights_offset() const { return word_offset() + 16; }
  constexpr int weights_end() const {
    return weights_offset() + 4 * block_m * PartialResultsLayout::kMostSplits;
  }

  constexpr int shared_bytes() const {
    return ring_offset(warps) > weights_end() ? ring_offset(warps) : weights_end();
  }
};

}  // namespace attune

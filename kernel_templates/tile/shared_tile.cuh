// SharedTile: rows of a tile in shared memory, laid out so that eight rows of a matrix load never meet in a
// bank.
#pragma once

#include "isa/isa.cuh"

namespace attune {

// Rows of ROW_CHUNKS chunks of 16 bytes. Shared memory has eight chunks side by side; where the rows' starts
// repeat among them, the chunks of a row are swapped by exclusive-or with a number that differs between the
// rows that collide. An odd ROW_CHUNKS needs no swapping.
template <typename T, int ROW_CHUNKS>
struct SharedTile {
  static constexpr int kChunkElements = 16 / sizeof(T);
  static constexpr int kRowElements = ROW_CHUNKS * kChunkElements;
  static constexpr int kSwaps = ROW_CHUNKS % 8 == 0   ? 8
                                : ROW_CHUNKS % 4 == 0 ? 4
                                : ROW_CHUNKS % 2 == 0 ? 2
                                                      : 1;
  Shared<T> data;  // on a boundary of 128 bytes

  ATTUNE_FN static int swap_of(int row) { return row / (8 / kSwaps) % kSwaps; }
  ATTUNE_FN Shared<T> chunk(int row, int chunk) const {
    return data + (row * kRowElements + (chunk ^ swap_of(row)) * kChunkElements);
  }
  // The tile's rows from `row` on, a multiple of 8.
  ATTUNE_FN SharedTile from_row(int row) const { return {data + row * kRowElements}; }
};

// A thread's place in a tile, from which it steps by constants: what depends on the thread is computed once,
// the steps become constant offsets and at most one exclusive-or.
template <typename T, int ROW_CHUNKS>
struct TileCursor {
  using Tile = SharedTile<T, ROW_CHUNKS>;
  Shared<T> row;
  int swapped;  // where the thread's chunk lies in the row, in elements

  ATTUNE_FN TileCursor(const Tile& tile, int thread_row, int thread_chunk)
      : row(tile.data + thread_row * Tile::kRowElements),
        swapped((thread_chunk ^ Tile::swap_of(thread_row)) * Tile::kChunkElements) {}

  // `rows` further down and `chunks` further right, constants that have no bit in common with any thread's
  // row and chunk: then the sums are exclusive-ors, and those of the swap commute.
  ATTUNE_FN Shared<T> at(int rows, int chunks) const {
    const int low = chunks % Tile::kSwaps;
    return row + (rows * Tile::kRowElements + (chunks - low) * Tile::kChunkElements +
                  (((low ^ Tile::swap_of(rows)) * Tile::kChunkElements) ^ swapped));
  }
};

}  // namespace attune

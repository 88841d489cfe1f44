// SharedTile: rows of a tile in shared memory, laid out so that eight rows of a matrix load never meet in a
// bank.
#pragma once

#include "isa/isa.cuh"

namespace attune {

// Rows of ROW_CHUNKS chunks of 16 bytes. Shared memory has eight chunks side by side; where the rows' starts
// repeat among them, the chunks of a row are swapped by exclusive-or with a number that differs between the
// rows that collide. An odd ROW_CHUNKS needs no swapping.
//
// With PANEL_ROWS, what tensor copies write: eight chunks of each of PANEL_ROWS rows, then the next eight of
// each.
template <typename T, int ROW_CHUNKS, int PANEL_ROWS = 0>
struct SharedTile {
  static_assert(PANEL_ROWS == 0 || ROW_CHUNKS % 8 == 0, "panels are eight chunks wide");
  static constexpr int kChunkElements = 16 / sizeof(T);
  static constexpr int kPitchChunks = PANEL_ROWS > 0 ? 8 : ROW_CHUNKS;  // from a row to the next
  static constexpr int kRowElements = kPitchChunks * kChunkElements;
  static constexpr int kSwaps = kPitchChunks % 8 == 0   ? 8
                                : kPitchChunks % 4 == 0 ? 4
                                : kPitchChunks % 2 == 0 ? 2
                                                        : 1;
  static constexpr int kPanelElements = PANEL_ROWS * kRowElements;
  Shared<T> data;  // on a boundary of 128 bytes; of 1024 with PANEL_ROWS

  // For matrix loads, rows that follow each other. f32 rows are read by eight lanes at a time, four chunks of
  // two neighbouring rows (Q and K) or two chunks of every other row (V): bit 2 is one of each pair's rows,
  // bits 2 and 1 are one of every other row's. Linear over exclusive-or in both cases.
  ATTUNE_FN static int swap_of(int row) {
    if constexpr (sizeof(T) == 4 && kSwaps == 8)
      return ((row ^ row >> 1) & 1) << 2 | (row >> 2 & 1) << 1 | (row >> 1 & 1);
    return row / (8 / kSwaps) % kSwaps;
  }
  // Elements from a row's start to where one of its chunks lies.
  ATTUNE_FN static int place_in_row(int row, int chunk) {
    if constexpr (PANEL_ROWS == 0) return (chunk ^ swap_of(row)) * kChunkElements;
    return chunk / 8 * kPanelElements + (chunk % 8 ^ swap_of(row)) * kChunkElements;
  }
  ATTUNE_FN Shared<T> chunk(int row, int chunk) const {
    return data + (row * kRowElements + place_in_row(row, chunk));
  }
  // The tile's rows from `row` on, a multiple of 8.
  ATTUNE_FN SharedTile from_row(int row) const { return {data + row * kRowElements}; }
};

// A thread's place in a tile, from which it steps by constants: what depends on the thread is computed once,
// the steps become constant offsets and at most one exclusive-or.
template <typename T, int ROW_CHUNKS, int PANEL_ROWS = 0>
struct TileCursor {
  using Tile = SharedTile<T, ROW_CHUNKS, PANEL_ROWS>;
  Shared<T> row;
  int swapped;  // where the thread's chunk lies in the row, in elements

  ATTUNE_FN TileCursor(const Tile& tile, int thread_row, int thread_chunk)
      : row(tile.data + thread_row * Tile::kRowElements),
        swapped(Tile::place_in_row(thread_row, thread_chunk)) {}

  // `rows` further down and `chunks` further right, constants that have no bit in common with any thread's
  // row and chunk: then the sums are exclusive-ors, and those of the swap commute.
  ATTUNE_FN Shared<T> at(int rows, int chunks) const {
    const int low = chunks % Tile::kSwaps;
    return row + (rows * Tile::kRowElements + Tile::place_in_row(0, chunks - low) +
                  (((low ^ Tile::swap_of(rows)) * Tile::kChunkElements) ^ swapped));
  }
};

}  // namespace attune

// Loading a tile: rows of global memory to padded rows of shared memory, asynchronously.
#pragma once

#include "isa/isa.cuh"

namespace attune {

// Starts copying ROWS rows of COLUMNS elements, PADDED of them per row in shared memory. Rows from
// `valid_rows` on and columns from COLUMNS on are written as zero and never read. All THREADS threads of the
// block take part; commit is the caller's.
template <int ROWS, int COLUMNS, int PADDED, int THREADS, typename T>
ATTUNE_FN void load_tile(Shared<T> destination, int destination_stride, Global<const T> source,
                         i64 source_stride, int valid_rows) {
  constexpr int kElements = 16 / sizeof(T);
  constexpr int kChunks = PADDED / kElements;  // of a row
  constexpr int kTotal = ROWS * kChunks;
  ATTUNE_UNROLL
  for (int i = 0; i < kTotal; i += THREADS) {
    const int chunk = i + thread_index();
    if (kTotal % THREADS != 0 && chunk >= kTotal) break;
    // When THREADS is a multiple of kChunks the column is the same in every pass and the compiler hoists it.
    const int row = i % kChunks == 0 ? i / kChunks + thread_index() / kChunks : chunk / kChunks;
    const int column = (i % kChunks == 0 ? thread_index() % kChunks : chunk % kChunks) * kElements;
    const bool valid = row < valid_rows && column < COLUMNS;
    const Global<const T> from = valid ? source + (row * source_stride + column) : source;
    copy_async16(destination + (row * destination_stride + column), from, valid);
  }
}

}  // namespace attune

// Row terms: what the backward pass needs of each query row beside its data. flash_bwd_delta writes them into
// the workspace once, the kernels of the gradients read them for every pair; the host sizes the workspace by
// this.
#pragma once

namespace attune {

// For each row of each head two numbers of the statistics' type, side by side: LSE · log2(e), and delta. A
// head's rows are padded to whole tiles of any size, so that tiles are copied whole and rows that are not
// there have terms, too: those of a row that saw no key, an LSE of +infinity and a delta of 0, which make P
// and dS zero.
struct RowTermsLayout {
  static constexpr int kRowMultiple = 128;  // every BLOCK_M divides it

  static constexpr long long padded_rows(long long rows) {
    return (rows + kRowMultiple - 1) / kRowMultiple * kRowMultiple;
  }
  static constexpr long long bytes(long long heads_and_batches, long long rows, int real_bytes) {
    return heads_and_batches * padded_rows(rows) * 2 * real_bytes;
  }
};

}  // namespace attune

// Partial results: what each of the blocks that share the keys of some query rows leaves in the workspace for
// the last of them to put together. The kernel finds its place by this, the host sizes the workspace.
#pragma once

namespace attune {

// Of one block, in floats:   sums of P · V [rows][columns] | of each row what exponents are relative to, and
// the sum of exponentials [rows][2]
struct PartialResultsLayout {
  // More would make the last block's work show.
  static constexpr int kMostSplits = 128;

  int rows;     // of a tile
  int columns;  // of O, a multiple of 16

  constexpr int sums_offset(int row) const { return row * columns; }
  constexpr int statistics_offset(int row) const { return rows * columns + 2 * row; }
  constexpr int floats() const { return statistics_offset(rows); }
  constexpr long long bytes(long long blocks) const { return 4 * blocks * floats(); }
};

}  // namespace attune

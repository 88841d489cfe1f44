// The kernel of a warp's product, for vector_variants.inl.

template <attune_simt_format FORMAT>
ATTUNE_INLINE void widen_pairs(const uint32_t* pairs, float* even, float* odd) {
  Words words;
  std::memcpy(&words, pairs, sizeof words);
  if constexpr (FORMAT == ATTUNE_SIMT_TF32) {
    words &= 0xffffe000u;  // what a tensor core reads of them
    std::memcpy(even, &words, sizeof words);
    return;
  }
  Floats low, high;
  if constexpr (FORMAT == ATTUNE_SIMT_BF16) {
    widen_bf16(words & 0xffffu, low);
    widen_bf16(words >> 16, high);
  } else {
    widen_f16(words & 0xffffu, low);
    widen_f16(words >> 16, high);
  }
  std::memcpy(even, &low, sizeof low);
  std::memcpy(odd, &high, sizeof high);
}

// a0 (row l/4, k 2·(l%4)), a1 row + 8, a2 k + 8, a3 both.
template <attune_simt_format FORMAT>
ATTUNE_INLINE void gather_a(const LaneFragments* lanes, int m, Operands& operands) {
  for (int lane = 0; lane < 32; ++lane) {
    for (int tile = 0; tile < m; ++tile) {
      const uint32_t* a = lanes[lane].a + 4 * tile;
      const int row = 16 * tile + lane / 4;
      operands.a_pairs[row][lane % 4] = a[0];
      operands.a_pairs[row + 8][lane % 4] = a[1];
      operands.a_pairs[row][lane % 4 + 4] = a[2];
      operands.a_pairs[row + 8][lane % 4 + 4] = a[3];
    }
  }
  for (int row = 0; row < 16 * m; ++row) {
    widen_pairs<FORMAT>(operands.a_pairs[row], operands.a[row], operands.a[row] + 8);
  }
}

// b0 b1 of tile 2j (column l/4, k 2·(l%4) and + 8), b2 b3 of tile 2j + 1.
template <attune_simt_format FORMAT>
ATTUNE_INLINE void gather_b(const LaneFragments* lanes, int n, Operands& operands) {
  for (int lane = 0; lane < 32; ++lane) {
    const int pair = lane % 4;
    const int column = lane / 4;
    for (int tile = 0; tile < n; ++tile) {
      const uint32_t* b = lanes[lane].b + 2 * tile;
      operands.b_pairs[tile][pair][column] = b[0];
      operands.b_pairs[tile][pair + 4][column] = b[1];
    }
  }
  for (int tile = 0; tile < n; ++tile) {
    for (int pair = 0; pair < 8; ++pair) {
      widen_pairs<FORMAT>(operands.b_pairs[tile][pair], operands.b[tile][pair], operands.b[tile][8 + pair]);
    }
  }
}

// A row of a tile of c lies in four lanes, a pair of floats in each.
ATTUNE_INLINE void load_row(const LaneFragments* lanes, int lane, size_t at, Floats& row) {
  Doubles pairs;
  for (int i = 0; i < 4; ++i) {
    double pair;
    std::memcpy(&pair, lanes[lane + i].c + at, sizeof pair);
    pairs[i] = pair;
  }
  row = reinterpret_cast<Floats>(pairs);
}

ATTUNE_INLINE void store_row(const LaneFragments* lanes, int lane, size_t at, const Floats& row) {
  const Doubles pairs = reinterpret_cast<Doubles>(row);
  for (int i = 0; i < 4; ++i) {
    const double pair = pairs[i];
    std::memcpy(lanes[lane + i].c + at, &pair, sizeof pair);
  }
}

// kRows rows of two neighbouring tiles: enough independent sums to hide the latency of an addition.
ATTUNE_INLINE void multiply_rows(const LaneFragments* lanes, int n, int k_step, int first_row, int tile,
                                 const Operands& operands) {
  Floats sum[kRows][2];
  for (int r = 0; r < kRows; ++r) {
    const int row = first_row + r;
    const size_t at = (static_cast<size_t>(row / 16) * n + tile) * 4 + (row % 16 / 8) * 2;
    load_row(lanes, row % 8 * 4, at, sum[r][0]);
    load_row(lanes, row % 8 * 4, at + 4, sum[r][1]);
  }
  for (int k = 0; k < k_step; ++k) {
    Floats b0, b1;
    std::memcpy(&b0, operands.b[tile][k], sizeof b0);
    std::memcpy(&b1, operands.b[tile + 1][k], sizeof b1);
    for (int r = 0; r < kRows; ++r) {
      const float value = operands.a[first_row + r][k];
      const Floats a = {value, value, value, value, value, value, value, value};
      multiply_add(sum[r][0], a, b0);
      multiply_add(sum[r][1], a, b1);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    const int row = first_row + r;
    const size_t at = (static_cast<size_t>(row / 16) * n + tile) * 4 + (row % 16 / 8) * 2;
    store_row(lanes, row % 8 * 4, at, sum[r][0]);
    store_row(lanes, row % 8 * 4, at + 4, sum[r][1]);
  }
}

void multiply_all(const LaneFragments* lanes, int m, int n, attune_simt_format format, Operands& operands) {
  if (format == ATTUNE_SIMT_TF32) {
    gather_a<ATTUNE_SIMT_TF32>(lanes, m, operands);
    gather_b<ATTUNE_SIMT_TF32>(lanes, n, operands);
  } else if (format == ATTUNE_SIMT_BF16) {
    gather_a<ATTUNE_SIMT_BF16>(lanes, m, operands);
    gather_b<ATTUNE_SIMT_BF16>(lanes, n, operands);
  } else {
    gather_a<ATTUNE_SIMT_F16>(lanes, m, operands);
    gather_b<ATTUNE_SIMT_F16>(lanes, n, operands);
  }
  const int k_step = format == ATTUNE_SIMT_TF32 ? 8 : 16;
  for (int tile = 0; tile < n; tile += 2) {
    for (int row = 0; row < 16 * m; row += kRows)
      multiply_rows(lanes, n, k_step, row, tile, operands);
  }
}

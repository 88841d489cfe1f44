// The kernel of a warpgroup's product, for vector_variants.inl.

template <attune_simt_format FORMAT>
ATTUNE_INLINE void widen_eight(const uint16_t* from, float* to) {
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  const Words words = __builtin_convertvector(halves, Words);
  Floats result;
  if constexpr (FORMAT == ATTUNE_SIMT_BF16) {
    widen_bf16(words, result);
  } else {
    widen_f16(words, result);
  }
  std::memcpy(to, &result, sizeof result);
}

template <attune_simt_format FORMAT>
ATTUNE_INLINE void widen_operands(const uint16_t* a, const uint16_t* b, bool transpose_b, int tiles,
                                  Operands& operands) {
  for (int i = 0; i < kProductRows * kStep; i += 8)
    widen_eight<FORMAT>(a + i, &operands.a[0][0] + i);
  if (transpose_b) {
    for (int k = 0; k < kStep; ++k) {
      for (int tile = 0; tile < tiles; ++tile)
        widen_eight<FORMAT>(b + 8 * (k * tiles + tile), operands.b[tile][k]);
    }
    return;
  }
  for (int column = 0; column < 8 * tiles; ++column) {
    float values[kStep];
    widen_eight<FORMAT>(b + kStep * column, values);
    widen_eight<FORMAT>(b + kStep * column + 8, values + 8);
    for (int k = 0; k < kStep; ++k)
      operands.b[column / 8][k][column % 8] = values[k];
  }
}

// kRows rows of TILES neighbouring tiles. Two are enough independent sums to hide the latency of an addition.
template <int TILES>
ATTUNE_INLINE void multiply_rows(int tiles, int row, int tile, const Operands& operands, float* sum) {
  Floats part[kRows][TILES];
  float* first = sum + 8 * (row * tiles + tile);
  for (int r = 0; r < kRows; ++r)
    std::memcpy(part[r], first + 8 * r * tiles, sizeof part[r]);
  for (int k = 0; k < kStep; ++k) {
    Floats b[TILES];
    for (int t = 0; t < TILES; ++t)
      std::memcpy(&b[t], operands.b[tile + t][k], sizeof b[t]);
    for (int r = 0; r < kRows; ++r) {
      const float value = operands.a[row + r][k];
      const Floats a = {value, value, value, value, value, value, value, value};
      for (int t = 0; t < TILES; ++t)
        multiply_add(part[r][t], a, b[t]);
    }
  }
  for (int r = 0; r < kRows; ++r)
    std::memcpy(first + 8 * r * tiles, part[r], sizeof part[r]);
}

void multiply_all(const uint16_t* a, const uint16_t* b, bool transpose_b, int tiles,
                  attune_simt_format format, Operands& operands, float* sum) {
  if (format == ATTUNE_SIMT_BF16) {
    widen_operands<ATTUNE_SIMT_BF16>(a, b, transpose_b, tiles, operands);
  } else {
    widen_operands<ATTUNE_SIMT_F16>(a, b, transpose_b, tiles, operands);
  }
  const int pairs = tiles / 2 * 2;
  for (int tile = 0; tile < pairs; tile += 2) {
    for (int row = 0; row < kProductRows; row += kRows)
      multiply_rows<2>(tiles, row, tile, operands, sum);
  }
  for (int row = 0; pairs < tiles && row < kProductRows; row += kRows)
    multiply_rows<1>(tiles, row, pairs, operands, sum);
}

// The software tensor core alone: special values, and every size it takes.
#include "simt/mma.h"

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "isa/float_formats.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::simt;

namespace {

// The operands of a product as matrices, and the fragments of 32 lanes made from them.
struct Product {
  int m, n;
  std::vector<uint16_t> a, b;  // [16·m][16], [16][8·n]
  std::vector<float> c;        // [lane][m][n][4]
  std::vector<uint32_t> a_fragments, b_fragments;
  std::array<LaneFragments, 32> lanes;

  Product(int m_tiles, int n_tiles)
      : m(m_tiles),
        n(n_tiles),
        a(16 * m * 16),
        b(16 * 8 * n),
        c(32 * m * n * 4),
        a_fragments(32 * m * 4),
        b_fragments(32 * n * 2) {}

  uint32_t a_pair(int row, int k) const {
    return a[16 * row + k] | static_cast<uint32_t>(a[16 * row + k + 1]) << 16;
  }
  uint32_t b_pair(int k, int column) const {
    return b[8 * n * k + column] | static_cast<uint32_t>(b[8 * n * (k + 1) + column]) << 16;
  }

  void multiply(attune_simt_format format) {
    for (int lane = 0; lane < 32; ++lane) {
      const int row = lane / 4;
      const int k = lane % 4 * 2;
      for (int i = 0; i < m * 4; ++i)
        a_fragments[lane * m * 4 + i] = a_pair(16 * (i / 4) + row + 8 * (i % 2), k + i % 4 / 2 * 8);
      for (int i = 0; i < n * 2; ++i)
        b_fragments[lane * n * 2 + i] = b_pair(k + 8 * (i % 2), 8 * (i / 2) + row);
      lanes[lane] = {&c[lane * m * n * 4], &a_fragments[lane * m * 4], &b_fragments[lane * n * 2]};
    }
    TileMultiplier multiplier;
    multiplier.multiply(lanes, m, n, format);
  }
  float result(int row, int column) const {
    const int lane = row % 8 * 4 + column % 8 / 2;
    return c[((static_cast<size_t>(lane) * m + row / 16) * n + column / 8) * 4 + row % 16 / 8 * 2 +
             column % 2];
  }
};

}  // namespace

TEST_CASE("every f16 value passes through the product unharmed") {
  Product product(8, 32);
  for (int i = 0; i < 16; ++i)
    product.b[8 * product.n * i + i] = f16_from_float(1.0f);  // the identity, in the first columns
  for (uint32_t first = 0; first < 65536; first += 2048) {
    for (int i = 0; i < 2048; ++i)
      product.a[i] = static_cast<uint16_t>(first + i);
    // One special value poisons its whole row: that is how 0 · inf is.
    std::fill(product.c.begin(), product.c.end(), 0.0f);
    product.multiply(ATTUNE_SIMT_F16);
    int wrong = 0;
    for (int i = 0; i < 2048; ++i) {
      const float expected = f16_to_float(static_cast<uint16_t>(first + i));
      const float got = product.result(i / 16, i % 16);
      wrong += std::isfinite(expected) ? got != expected : !std::isnan(got) && got != expected;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("bf16 operands keep infinities and NaN") {
  Product product(1, 2);
  product.a[0] = bf16_from_float(std::numeric_limits<float>::infinity());
  product.a[16] = 0x7fc0;
  product.b[0] = bf16_from_float(2.0f);
  for (int k = 1; k < 16; ++k)
    product.b[16 * k] = 0;
  product.multiply(ATTUNE_SIMT_BF16);
  CHECK(product.result(0, 0) == std::numeric_limits<float>::infinity());
  CHECK(std::isnan(product.result(1, 0)));
  CHECK(product.result(2, 0) == 0);
}

TEST_CASE("products of every size are right") {
  std::mt19937 generator(5);
  std::normal_distribution<float> normal;
  for (int m = 1; m <= TileMultiplier::kMaxM; ++m) {
    for (int n = 2; n <= TileMultiplier::kMaxN; n += 2) {
      Product product(m, n);
      for (uint16_t& element : product.a)
        element = bf16_from_float(normal(generator));
      for (uint16_t& element : product.b)
        element = bf16_from_float(normal(generator));
      std::fill(product.c.begin(), product.c.end(), 0.5f);
      product.multiply(ATTUNE_SIMT_BF16);
      double worst = 0;
      for (int row = 0; row < 16 * m; ++row) {
        for (int column = 0; column < 8 * n; ++column) {
          double sum = 0.5;
          for (int k = 0; k < 16; ++k) {
            sum += static_cast<double>(bf16_to_float(product.a[16 * row + k])) *
                   bf16_to_float(product.b[8 * n * k + column]);
          }
          worst = std::max(worst, std::fabs(sum - product.result(row, column)));
        }
      }
      CHECK(worst < 1e-5);
    }
  }
}

TEST_CASE("products of TF32 read 11 bits of a word and have half the depth") {
  constexpr int kM = 2, kN = 4, kDepth = 8;
  std::mt19937 generator(7);
  std::normal_distribution<float> normal;
  std::vector<float> a(16 * kM * kDepth), b(kDepth * 8 * kN), c(32 * kM * kN * 4, 0.5f);
  for (float& element : a)
    element = normal(generator);
  for (float& element : b)
    element = normal(generator);
  const auto word = [](float value) { return std::bit_cast<uint32_t>(value); };
  const auto read = [&](float value) { return std::bit_cast<float>(word(value) & 0xffffe000u); };

  std::vector<uint32_t> a_fragments(32 * kM * 4), b_fragments(32 * kN * 2);
  std::array<LaneFragments, 32> lanes;
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < kM * 4; ++i) {
      const int row = 16 * (i / 4) + lane / 4 + 8 * (i % 2), k = lane % 4 + i % 4 / 2 * 4;
      a_fragments[lane * kM * 4 + i] = word(a[kDepth * row + k]);
    }
    for (int i = 0; i < kN * 2; ++i) {
      const int k = lane % 4 + 4 * (i % 2), column = 8 * (i / 2) + lane / 4;
      b_fragments[lane * kN * 2 + i] = word(b[8 * kN * k + column]);
    }
    lanes[lane] = {&c[lane * kM * kN * 4], &a_fragments[lane * kM * 4], &b_fragments[lane * kN * 2]};
  }
  TileMultiplier().multiply(lanes, kM, kN, ATTUNE_SIMT_TF32);

  for (int row = 0; row < 16 * kM; ++row) {
    for (int column = 0; column < 8 * kN; ++column) {
      double sum = 0.5;
      for (int k = 0; k < kDepth; ++k)
        sum += static_cast<double>(read(a[kDepth * row + k])) * read(b[8 * kN * k + column]);
      const int lane = row % 8 * 4 + column % 8 / 2;
      const int element = row % 16 / 8 * 2 + column % 2;
      INFO("row " << row << ", column " << column);
      CHECK(std::fabs(c[((lane * kM + row / 16) * kN + column / 8) * 4 + element] - sum) < 1e-5);
    }
  }
}

// The order in which blocks walk over tiles, from the text that kernels compile.
#include <algorithm>
#include <set>
#include <tuple>
#include <vector>

#include "kernels/divisor.h"
#include "kernels/tile_walk.h"
#include "support/catch.h"

#define ATTUNE_SIMT 1
#include "attention/tile_walk.cuh"

namespace {

using attune::TileCoordinates;
using attune::TilesToWalk;
using Tile = std::tuple<int, int, int>;

constexpr int kRows = 128;

template <bool CAUSAL>
std::vector<TileCoordinates> tiles_of(unsigned block, const TileWalkParams& params) {
  attune::TileWalk<kRows, CAUSAL, true> walk(params, block);
  std::vector<TileCoordinates> tiles;
  TileCoordinates tile{};
  while (walk.next(tile))
    tiles.push_back(tile);
  return tiles;
}

template <bool CAUSAL>
void check_every_tile_once(const TilesToWalk& tiles, const TileWalkParams& walk) {
  std::set<Tile> seen;
  size_t count = 0;
  for (unsigned block = 0; block < walk.blocks; ++block) {
    const std::vector<TileCoordinates> tiles_of_block = tiles_of<CAUSAL>(block, walk);
    // That a block has a tile, if there is one for each: kernels rely on it.
    if (block < tiles.tiles_of_head * tiles.heads_q * tiles.batch) CHECK_FALSE(tiles_of_block.empty());
    for (const TileCoordinates& tile : tiles_of_block) {
      const bool is_there = tile.first_row % kRows == 0 && tile.first_row < tiles.tiles_of_head * kRows &&
                            tile.head < tiles.heads_q && tile.batch < tiles.batch;
      if (is_there) seen.insert({tile.first_row, tile.head, tile.batch});
      ++count;
    }
  }
  INFO(tiles.tiles_of_head << " tiles, " << tiles.heads_q << " heads, " << tiles.batch << " sequences, "
                           << walk.blocks << " blocks");
  CHECK(seen.size() == static_cast<size_t>(tiles.tiles_of_head * tiles.heads_q * tiles.batch));
  CHECK(count == seen.size());
}

// Of a launch without persistent blocks: one tile each, and then no more.
template <bool CAUSAL>
void check_a_tile_for_each_block(const TilesToWalk& tiles, const TileWalkParams& params) {
  const auto all = static_cast<unsigned>(tiles.tiles_of_head * tiles.heads_q * tiles.batch);
  std::set<Tile> seen;
  for (unsigned block = 0; block < all; ++block) {
    attune::TileWalk<kRows, CAUSAL, false> walk(params, block);
    TileCoordinates tile{};
    REQUIRE(walk.next(tile));
    seen.insert({tile.first_row, tile.head, tile.batch});
    CHECK_FALSE(walk.next(tile));
  }
  CHECK(seen.size() == all);
}

}  // namespace

TEST_CASE("a prepared divisor divides as C does, to the last dividend below 2^31") {
  constexpr uint32_t kEnd = 1u << 31;
  for (const uint32_t value :
       {1u, 2u, 3u, 5u, 7u, 64u, 127u, 129u, 641u, 65535u, 65537u, 1000003u, kEnd - 1}) {
    const Divisor divisor = attune::divisor_of(value);
    for (uint64_t base = 0; base < kEnd; base += std::max<uint64_t>(value, kEnd / 4096 / value * value)) {
      for (const int64_t offset : {-1, 0, 1}) {  // where quotients change
        const int64_t dividend = static_cast<int64_t>(base) + offset;
        if (dividend < 0) continue;
        if (attune::quotient(static_cast<uint32_t>(dividend), divisor) != dividend / value) {
          INFO(dividend << " / " << value);
          CHECK(attune::quotient(static_cast<uint32_t>(dividend), divisor) == dividend / value);
        }
      }
    }
    CHECK(attune::quotient(kEnd - 1, divisor) == (kEnd - 1) / value);
  }
}

TEST_CASE("blocks that walk over tiles compute every tile once") {
  for (const TilesToWalk& tiles :
       {TilesToWalk{1, 1, 1, true, 1}, TilesToWalk{5, 3, 2, true, 4}, TilesToWalk{9, 6, 1, true, 2},
        TilesToWalk{4, 32, 32, true, 128}, TilesToWalk{128, 16, 1, true, 4}, TilesToWalk{300, 3, 2, true, 1},
        TilesToWalk{3, 40, 5, true, 64}, TilesToWalk{5, 53, 1, true, 9}, TilesToWalk{8, 40, 1, true, 9}}) {
    for (const int64_t blocks : {1, 7, 132}) {
      check_every_tile_once<true>(tiles, attune::persistent_walk(tiles, blocks));
      TilesToWalk unmasked = tiles;
      unmasked.causal = false;
      check_every_tile_once<false>(unmasked, attune::persistent_walk(unmasked, blocks));
    }
    check_a_tile_for_each_block<true>(tiles, attune::single_walk(tiles));
    check_a_tile_for_each_block<false>(tiles, attune::single_walk(tiles));
  }
}

TEST_CASE("without a mask no more blocks walk than the rounds need, but for a few") {
  const auto blocks_of = [](int64_t tiles, int64_t heads, bool causal) {
    return attune::persistent_walk({tiles, heads, 1, causal, heads}, 132).blocks;
  };
  CHECK(blocks_of(4, 512, false) == 128);   // 2048 tiles, 16 rounds
  CHECK(blocks_of(11, 128, false) == 128);  // 1408 tiles, 11 rounds
  CHECK(blocks_of(1, 132, false) == 132);
  CHECK(blocks_of(1, 133, false) == 132);  // 67 would do, which nobody measured
  CHECK(blocks_of(9, 512, true) == 132);   // tiles of a causal mask are not equally long
}

TEST_CASE("blocks that walk over tiles of a causal mask have about the same work") {
  // Batch x seqlen = 16384, heads x head_dim = 2048: what is compared with others.
  constexpr int64_t kBlocks = 132;
  for (const int64_t head_dim : {64, 128, 256}) {
    for (const int64_t seqlen : {512, 1024, 2048, 4096, 8192, 16384}) {
      const TilesToWalk tiles{seqlen / kRows, 2048 / head_dim, 16384 / seqlen, true,
                              std::max<int64_t>(1, (32 << 20) / (seqlen * head_dim * 4))};
      const TileWalkParams walk = attune::persistent_walk(tiles, kBlocks);
      std::vector<int64_t> steps;
      int64_t total = 0;
      for (unsigned block = 0; block < kBlocks; ++block) {
        int64_t of_block = 0;
        for (const TileCoordinates& tile : tiles_of<true>(block, walk))
          of_block += tile.first_row / kRows + 2;  // and one for the tile itself
        steps.push_back(of_block);
        total += of_block;
      }
      INFO("D=" << head_dim << " N=" << seqlen << ": sections of " << walk.section_heads.value << " of "
                << walk.all_heads << " heads");
      CHECK(static_cast<double>(*std::ranges::max_element(steps)) < 1.04 * total / kBlocks);
    }
  }
}

TEST_CASE("a round of whole heads has tiles of all lengths, and pairs of rounds are equally long") {
  constexpr int64_t kBlocks = 132;
  for (const int64_t tiles_of_head : {2, 3, 4, 5, 6, 8}) {
    const TilesToWalk tiles{tiles_of_head, 32, 32, true, 64};
    const TileWalkParams walk = attune::persistent_walk(tiles, kBlocks);
    INFO(tiles_of_head << " tiles");
    REQUIRE(walk.whole_heads == 1);
    CHECK(walk.blocks == kBlocks / tiles_of_head * tiles_of_head);
    std::vector<std::vector<int>> of_round(2);
    bool has_same_in_next_pair = false;
    for (unsigned block = 0; block < walk.blocks; ++block) {
      const std::vector<TileCoordinates> of_block = tiles_of<true>(block, walk);
      for (const size_t round : {0, 1})
        of_round[round].push_back(of_block[round].first_row / kRows);
      CHECK(of_round[0].back() + of_round[1].back() == tiles_of_head - 1);
      has_same_in_next_pair |= of_block[2].first_row == of_block[0].first_row;
    }
    CHECK_FALSE(has_same_in_next_pair);
    for (const std::vector<int>& lengths : of_round) {
      for (int length = 0; length < tiles_of_head; ++length)
        CHECK(std::ranges::count(lengths, length) == kBlocks / tiles_of_head);
    }
  }
}

TEST_CASE("whole heads are for heads of few tiles, in some rounds that leave few blocks idle") {
  const auto takes_whole_heads = [](const TilesToWalk& tiles) {
    return attune::persistent_walk(tiles, 132).whole_heads == 1;
  };
  CHECK(takes_whole_heads({4, 66, 1, true, 64}));
  CHECK_FALSE(takes_whole_heads({4, 65, 1, true, 64}));   // not quite two rounds
  CHECK_FALSE(takes_whole_heads({7, 66, 1, true, 64}));   // 126 of 132 blocks
  CHECK_FALSE(takes_whole_heads({11, 66, 1, true, 64}));  // many tiles
  CHECK_FALSE(takes_whole_heads({4, 66, 1, false, 64}));  // equally long ones
}

#include "kernels/tile_walk.h"

#include <algorithm>

#include "base/quotient_up.h"
#include "kernels/divisor.h"

namespace attune {
namespace {

// Heads of a section: about as many as L2 holds, such that pairs of rounds are full but for a few percent;
// where there is no such number, all.
int64_t section_heads_of(const TilesToWalk& tiles, int64_t all_heads, int64_t blocks) {
  if (!tiles.causal) return all_heads;
  const int64_t pair = 2 * blocks;  // tiles of two rounds
  const int64_t cached_pairs = std::max<int64_t>(1, tiles.cached_heads * tiles.tiles_of_head / pair);
  const int64_t heads = cached_pairs * pair / tiles.tiles_of_head;
  const int64_t idle = cached_pairs * pair - heads * tiles.tiles_of_head;
  const bool is_full = heads > 0 && 20 * idle < heads * tiles.tiles_of_head;
  return is_full ? std::min(heads, all_heads) : all_heads;
}

// Whether every round takes all tiles of some heads. For heads of few tiles, where that leaves few blocks
// without any; of fewer than two rounds the longest tiles had better come first. Measured:
// docs/learnt-forward-sm90.md.
bool takes_whole_heads(const TilesToWalk& tiles, int64_t all_heads, int64_t blocks) {
  constexpr int64_t kFewTiles = 8;
  return tiles.causal && tiles.tiles_of_head <= std::min(kFewTiles, blocks) &&
         32 * (blocks % tiles.tiles_of_head) <= blocks && all_heads * tiles.tiles_of_head >= 2 * blocks;
}

// As few blocks as take no more rounds than so many, where that leaves out a few: they would have been idle
// in the last round, and leave power and L2 to the others in all. Measured: docs/learnt-forward-sm90.md.
int64_t blocks_of_even_rounds(int64_t all_tiles, int64_t blocks) {
  const int64_t rounds = quotient_up(all_tiles, blocks);
  const int64_t enough = quotient_up(all_tiles, rounds);
  constexpr int64_t kLeftOut = 16;  // one in so many at most
  return kLeftOut * (blocks - enough) <= blocks ? enough : blocks;
}

}  // namespace

TileWalkParams persistent_walk(const TilesToWalk& tiles, int64_t blocks) {
  const int64_t all_heads = tiles.heads_q * tiles.batch;
  if (!tiles.causal) blocks = blocks_of_even_rounds(all_heads * tiles.tiles_of_head, blocks);
  const bool whole_heads = takes_whole_heads(tiles, all_heads, blocks);
  if (whole_heads) blocks -= blocks % tiles.tiles_of_head;
  const int64_t section_heads =
      whole_heads ? blocks / tiles.tiles_of_head : section_heads_of(tiles, all_heads, blocks);
  const bool one = section_heads >= all_heads;
  const int64_t sections = one ? 1 : quotient_up(all_heads, section_heads);
  const int64_t last_heads = all_heads - (sections - 1) * section_heads;
  const int64_t last_rounds = quotient_up(last_heads * tiles.tiles_of_head, blocks);
  int64_t section_rounds = last_rounds;
  if (whole_heads)
    section_rounds = 1;
  else if (!one)
    section_rounds = 2 * quotient_up(section_heads * tiles.tiles_of_head, 2 * blocks);
  const int64_t rounds = (sections - 1) * section_rounds + last_rounds;
  return {.blocks = static_cast<uint32_t>(blocks),
          .rounds = static_cast<uint32_t>(rounds),
          .all_heads = static_cast<uint32_t>(all_heads),
          .tiles_of_head = divisor_of(tiles.tiles_of_head),
          .heads_q = divisor_of(tiles.heads_q),
          .section_heads = divisor_of(section_heads),
          .last_section_heads = divisor_of(last_heads),
          .section_rounds = divisor_of(section_rounds),
          .whole_heads = whole_heads ? 1u : 0u};
}

TileWalkParams single_walk(const TilesToWalk& tiles) {
  const int64_t all_heads = tiles.heads_q * tiles.batch;
  const int64_t section_heads =
      tiles.causal ? std::clamp<int64_t>(tiles.cached_heads, 1, std::max<int64_t>(1, all_heads)) : all_heads;
  const int64_t sections = all_heads > 0 ? quotient_up(all_heads, section_heads) : 0;
  return {.blocks = static_cast<uint32_t>(section_heads * tiles.tiles_of_head),
          .rounds = static_cast<uint32_t>(sections),
          .all_heads = static_cast<uint32_t>(all_heads),
          .tiles_of_head = divisor_of(tiles.tiles_of_head),
          .heads_q = divisor_of(tiles.heads_q),
          .section_heads = divisor_of(section_heads),
          .last_section_heads = divisor_of(all_heads - (sections - 1) * section_heads),
          .section_rounds = divisor_of(1),
          .whole_heads = 0};
}

}  // namespace attune

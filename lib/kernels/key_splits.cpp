#include "kernels/key_splits.h"

#include <algorithm>

#include "attention/partial_results.layout.h"
#include "base/quotient_up.h"

namespace attune {
namespace {

// A split costs its block a start and an end, which take about as long as so many keys.
constexpr int64_t kLeastKeys = 128;

// Rounds of blocks that are looked at: in more, an incomplete last one is little.
constexpr int64_t kMostRounds = 4;

// One block reads what all splits of its rows have left, at some 50 GB/s: 5 µs.
constexpr int64_t kMostBytesPutTogether = 256 << 10;

// Splits that fill `rounds` rounds of the device's places at best; 0: the tiles alone are more.
int64_t splits_within(const KeysToSplit& work, int64_t rounds, int64_t most) {
  return std::min(most, rounds * work.places / work.tiles);
}

}  // namespace

int64_t most_splits(int64_t keys) {
  return std::clamp<int64_t>(keys / kLeastKeys, 1, PartialResultsLayout::kMostSplits);
}

int64_t most_splitting_blocks(int64_t places) {
  return kMostRounds * places;
}

KeySplits split_keys(const KeysToSplit& work) {
  const int64_t turns = quotient_up(work.keys, work.turn);
  int64_t splits = 1;
  const int64_t most =
      std::min({most_splits(work.keys), std::max<int64_t>(1, turns),
                std::max<int64_t>(1, kMostBytesPutTogether / std::max<int64_t>(1, work.bytes_of_partial))});
  if (work.places > 0 && work.tiles > 0 && most > 1) {
    // Of the places of so many rounds, these are taken, in 1/1024.
    const auto filled = [&](int64_t rounds) {
      return splits_within(work, rounds, most) * work.tiles * 1024 / (rounds * work.places);
    };
    int64_t best = 0;
    for (int64_t rounds = 1; rounds <= kMostRounds; ++rounds)
      best = std::max(best, filled(rounds));
    for (int64_t rounds = 1; rounds <= kMostRounds; ++rounds) {
      if (filled(rounds) * 10 < best * 9) continue;
      splits = std::max<int64_t>(1, splits_within(work, rounds, most));
      break;
    }
  }
  // No more blocks than it takes for the longest to be this short.
  const int64_t turns_of_split = quotient_up(turns, splits);
  if (turns_of_split > 0) splits = quotient_up(turns, turns_of_split);
  return {.splits = splits, .keys = turns_of_split * work.turn};
}

}  // namespace attune

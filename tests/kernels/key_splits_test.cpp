// Among how many blocks keys are divided.
#include "kernels/key_splits.h"

#include "support/catch.h"

using namespace attune;

namespace {

KeySplits split(int64_t tiles, int64_t keys, int64_t places, int64_t bytes_of_partial = 2048) {
  return split_keys(
      {.tiles = tiles, .keys = keys, .turn = 64, .places = places, .bytes_of_partial = bytes_of_partial});
}

}  // namespace

TEST_CASE("keys are divided until the device is full") {
  CHECK(split(8, 65536, 264).splits == 32);  // 33 would make none of them shorter
  CHECK(split(8, 65536, 132).splits == 16);
  CHECK(split(64, 8192, 264).splits == 4);
  CHECK(split(512, 4096, 264).splits == 1);  // two rounds, nearly full
  CHECK(split(264, 4096, 264).splits == 1);
  CHECK(split(5000, 4096, 264).splits == 1);
  CHECK(split(1, 1 << 20, 264).splits == 128);
}

TEST_CASE("keys stay together where there are few, or nobody knows the device") {
  CHECK(split(1, 0, 264).splits == 1);
  CHECK(split(1, 0, 264).keys == 0);
  CHECK(split(1, 1, 264).splits == 1);
  CHECK(split(1, 255, 264).splits == 1);
  CHECK(split(1, 256, 264).splits == 2);
  CHECK(split(8, 65536, 0).splits == 1);
  CHECK(split(0, 65536, 264).splits == 1);
  CHECK(split(8, 65536, 264, 256 << 10).splits == 1);  // what has to be put together would take long
}

TEST_CASE("splits are whole turns, none is empty, and their number is within what a workspace is made for") {
  for (const int64_t tiles :
       {1, 2, 3, 7, 8, 64, 100, 131, 132, 133, 160, 264, 500, 527, 528, 529, 1000, 5000}) {
    for (const int64_t keys : {1, 64, 127, 128, 129, 1000, 1031, 4096, 8191, 65536, 100000, 1 << 20}) {
      for (const int64_t places : {132, 264, 528}) {
        INFO(tiles << " tiles, " << keys << " keys, " << places << " places");
        const KeySplits result = split(tiles, keys, places);
        REQUIRE(result.splits >= 1);
        REQUIRE(result.splits <= most_splits(keys));
        REQUIRE(result.keys % 64 == 0);
        REQUIRE(result.keys * result.splits >= keys);
        REQUIRE(result.keys * (result.splits - 1) < keys);
        if (result.splits > 1) REQUIRE(result.splits * tiles <= most_splitting_blocks(places));
      }
    }
  }
}

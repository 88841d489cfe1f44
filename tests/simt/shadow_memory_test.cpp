// The race detector alone: which pairs of accesses are ordered.
#include "simt/shadow_memory.h"

#include <algorithm>
#include <random>
#include <vector>

#include "simt/site_table.h"
#include "support/catch.h"

using namespace attune::simt;

namespace {

Stamp at(int thread, uint32_t block_epoch, uint32_t warp_epoch) {
  return Stamp(thread, AccessKind::plain, 0, block_epoch, warp_epoch);
}

}  // namespace

TEST_CASE("a stamp keeps its parts") {
  const Stamp stamp(1023, AccessKind::matrix_load, 255, Stamp::kLastEpoch, Stamp::kLastEpoch - 1);
  CHECK(stamp.thread() == 1023);
  CHECK(stamp.warp() == 31);
  CHECK(stamp.kind() == AccessKind::matrix_load);
  CHECK(stamp.site() == 255);
  CHECK(stamp.at_site(3).site() == 3);
  CHECK(stamp.at_site(3).at_site(255) == stamp);
  CHECK(stamp.block_epoch() == Stamp::kLastEpoch);
  CHECK(stamp.warp_epoch() == Stamp::kLastEpoch - 1);
}

TEST_CASE("places in a template have numbers, as long as there are any") {
  static const char text[1000] = {};
  SiteTable sites;
  sites.clear();
  const attune_simt_site first{text, 7};
  const int number = sites.number_of(first);
  CHECK(number != 0);
  CHECK(sites.number_of(first) == number);
  CHECK(sites.at(number).line == 7);
  CHECK(sites.number_of({text, 8}) != number);
  for (int i = 0; i < 1000; ++i) {
    const int other = sites.number_of({text + i, i});
    CHECK((other == 0 || sites.at(other).line == i));
  }
  CHECK(sites.number_of(first) == number);
  CHECK(sites.at(0).file == nullptr);
}

TEST_CASE("accesses are ordered by block barriers, and within a warp by warp barriers") {
  CHECK(at(3, 1, 1).before(at(3, 1, 1)));  // the same thread
  CHECK_FALSE(at(3, 1, 1).before(at(4, 1, 1)));
  CHECK(at(3, 1, 1).before(at(4, 1, 2)));  // the same warp, a warp barrier later
  CHECK_FALSE(at(3, 1, 1).before(at(40, 1, 2)));
  CHECK(at(3, 1, 7).before(at(40, 2, 2)));  // a block barrier later
}

TEST_CASE("reads do not race with reads, writes race with everything unordered") {
  Knowledge knowledge;
  ShadowMemory memory(knowledge);
  memory.reset(64);
  CHECK(memory.read(0, 4, at(0, 1, 1)));
  CHECK(memory.read(0, 4, at(40, 1, 1)));
  CHECK_FALSE(memory.write(0, 4, at(1, 1, 1)));
  CHECK_FALSE(memory.conflict().earlier_wrote);
  CHECK(memory.write(4, 4, at(1, 1, 1)));
  CHECK_FALSE(memory.read(4, 2, at(2, 1, 1)));
  CHECK(memory.conflict().earlier_wrote);
  CHECK(memory.conflict().earlier.thread() == 1);
  CHECK_FALSE(memory.write(6, 2, at(2, 1, 1)));
  CHECK(memory.conflict().offset == 6);
}

TEST_CASE("a line is whole again after a whole write") {
  Knowledge knowledge;
  ShadowMemory memory(knowledge);
  memory.reset(16);
  CHECK(memory.write(2, 2, at(0, 1, 1)));
  CHECK_FALSE(memory.read(0, 16, at(1, 1, 1)));
  CHECK(memory.write(0, 16, at(1, 2, 2)));
  CHECK(memory.read(8, 8, at(1, 2, 2)));
  CHECK_FALSE(memory.read(8, 8, at(0, 2, 2)));
}

TEST_CASE("an asynchronous copy owns its line until it ends") {
  Knowledge knowledge;
  ShadowMemory memory(knowledge);
  memory.reset(32);
  CHECK(memory.begin_copy(16, at(5, 1, 1)));
  CHECK_FALSE(memory.read(20, 4, at(5, 1, 1)));
  CHECK(memory.conflict().in_flight);
  CHECK(memory.conflict().earlier.thread() == 5);
  CHECK_FALSE(memory.read(16, 16, at(9, 2, 2)));  // a barrier does not end it
  memory.end_copy(16, at(5, 2, 2));
  CHECK(memory.read(16, 16, at(5, 2, 2)));
  CHECK_FALSE(memory.read(16, 16, at(6, 2, 2)));
  CHECK_FALSE(memory.conflict().in_flight);
  CHECK(memory.read(16, 16, at(6, 3, 3)));
}

TEST_CASE("three remembered readers find every race that a list of all readers finds") {
  std::mt19937 generator(11);
  const auto random = [&](int below) { return static_cast<int>(generator() % static_cast<unsigned>(below)); };
  for (int round = 0; round < 3000; ++round) {
    Knowledge knowledge;
    ShadowMemory memory(knowledge);
    memory.reset(16);
    uint32_t block_epoch = 1;
    uint32_t warp_epoch[3] = {1, 1, 1};
    std::vector<Stamp> reads;
    for (int step = 0; step < 12; ++step) {
      if (random(6) == 0) {
        ++block_epoch;
        for (uint32_t& epoch : warp_epoch)
          ++epoch;
      } else if (random(4) == 0) {
        ++warp_epoch[random(3)];
      } else {
        const int warp = random(3);
        const Stamp reader = at(32 * warp + random(3), block_epoch, warp_epoch[warp]);
        REQUIRE(memory.read(0, 16, reader));
        reads.push_back(reader);
      }
    }
    const int warp = random(3);
    const Stamp writer = at(32 * warp + random(3), block_epoch, warp_epoch[warp]);
    const bool races =
        std::any_of(reads.begin(), reads.end(), [&](Stamp read) { return !read.before(writer); });
    CHECK(memory.write(0, 16, writer) == !races);
  }
}

// Rings of slots between a producer that has them filled by the copy engine and consumers that arrive when
// they are done with them: accepted, and each planted fault reported under every seed.
#include "simt/kernel_fixture.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::test;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr int kSeeds = 20;
constexpr int kTiles = 6;
constexpr int kTileBytes = 8192;  // 64 rows of 64 columns
constexpr int kConsumers = 128;

// Two slots, tiles in turn: warpgroup 0 produces, warpgroup 1 sums up.
struct Ring {
  std::string arrivals = "4";
  std::string wait_empty = "mbarrier_wait(barrier + (2 + slot), turn & 1 ^ 1);\n";
  std::string copy =
      "mbarrier_expect(barrier + slot, 8192);\n"
      "copy_bulk(tile + slot * 4096, input + i * 4096, 8192, barrier + slot);\n";
  std::string wait_full = "mbarrier_wait(barrier + slot, turn & 1);\n";
  std::string use = "for (int e = 0; e < 32; ++e) total += tile.load(slot * 4096 + e * 128 + t);\n";
  std::string before_release = "warp_barrier();\n";
  std::string release = "if (lane_index() == 0) mbarrier_arrive(barrier + (2 + slot));\n";

  KernelSource source() const {
    return test_kernel(256,
                       "const Shared<u16> tile = dynamic_shared<u16>(0);\n"
                       "const Shared<u64> barrier = dynamic_shared<u64>(16384);\n"
                       "const Global<const u16> input(static_cast<const u16*>(params.input));\n"
                       "const Global<u32> output(static_cast<u32*>(params.output));\n"
                       "const int t = thread_index() % 128;\n"
                       "if (thread_index() == 0) {\n"
                       "  for (int i = 0; i < 2; ++i) mbarrier_init(barrier + i);\n"
                       "  for (int i = 2; i < 4; ++i) mbarrier_init(barrier + i, " +
                           arrivals +
                           ");\n"
                           "  mbarrier_init_fence();\n"
                           "}\n"
                           "block_barrier();\n"
                           "u32 total = 0;\n"
                           "float sum[8][4] = {};\n"
                           "for (int i = 0; i < params.n; ++i) {\n"
                           "  const int slot = i % 2, turn = i / 2;\n"
                           "  if (warpgroup_index() == 0) {\n"
                           "    if (t == 0) {\n" +
                           wait_empty + copy + "    }\n  } else {\n" + wait_full + use + before_release +
                           release +
                           "  }\n}\n"
                           "(void)sum;\n"
                           "if (warpgroup_index() == 1) output.store(t, total);\n");
  }
};

struct RingLaunch {
  std::vector<uint16_t> input = filled<uint16_t>(kTiles * kTileBytes / 2, 0);
  std::vector<uint32_t> output = filled<uint32_t>(kConsumers, 0);
  TestLaunch launch;

  RingLaunch() {
    for (size_t i = 0; i < input.size(); ++i)
      input[i] = static_cast<uint16_t>(i * 31 % 1009);
    launch.threads = 256;
    launch.shared_bytes = 2 * kTileBytes + 32;
    launch.params = {.input = input.data(), .second = nullptr, .output = output.data(), .n = kTiles};
    launch.input_bytes = 2 * input.size();
    launch.output_bytes = 4 * output.size();
  }
};

void check_clean(const Ring& ring, bool sums = true) {
  const CompiledImage image = compile(ring.source());
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    RingLaunch launch;
    CHECK(report_of(image, launch.launch.pack(), seed) == "");
    for (size_t t = 0; sums && t < kConsumers; ++t) {
      uint32_t expected = 0;
      for (size_t i = t; i < launch.input.size(); i += kConsumers)
        expected += launch.input[i];
      REQUIRE(launch.output[t] == expected);
    }
  }
}

void check_reported(const Ring& ring, const std::string& part) {
  const CompiledImage image = compile(ring.source());
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    RingLaunch launch;
    const std::string report = report_of(image, launch.launch.pack(), seed);
    CHECK_THAT(report, ContainsSubstring("block 0, thread ") && ContainsSubstring(part));
  }
}

const std::string kProduct =
    "const u64 matrix = matrix_descriptor(slot * 8192, 0);\n"
    "warpgroup_arrive();\n"
    "multiply_warpgroup<f16, false>(sum, matrix, matrix, true);\n"
    "warpgroup_commit();\n";

}  // namespace

TEST_CASE("a ring whose slots are released by mbarriers is accepted", "[simt]") {
  Ring ring;
  check_clean(ring);
  SECTION("by every thread for itself") {
    ring.arrivals = "128";
    ring.before_release = "";
    ring.release = "mbarrier_arrive(barrier + (2 + slot));\n";
    check_clean(ring);
  }
  SECTION("by one thread for its warpgroup") {
    ring.arrivals = "1";
    ring.before_release = "warpgroup_barrier();\n";
    ring.release = "if (t == 50) mbarrier_arrive(barrier + (2 + slot));\n";
    check_clean(ring);
  }
  SECTION("once products that read them were waited for") {
    ring.use = kProduct + "warpgroup_wait<0>();\n";
    check_clean(ring, false);
  }
}

TEST_CASE("a ring's slot that is filled before its consumers are done is reported", "[simt]") {
  Ring ring;
  SECTION("no wait for empty slots") {
    ring.wait_empty = "";
    check_reported(ring, "");  // an arrival too many, or the slot is in use, whoever comes first
  }
  SECTION("no wait for empty slots, whose last use was a product") {
    ring.wait_empty = "";
    ring.use = kProduct + "warpgroup_wait<0>();\n";
    check_reported(ring, "");
  }
  SECTION("a lane arrives before its warp is done") {
    ring.before_release = "";
    check_reported(ring, "data race on shared byte");
  }
  SECTION("arrivals before the use") {
    ring.use = ring.release + ring.use;
    ring.release = "";
    check_reported(ring, "shared byte");
  }
  SECTION("arrivals of every thread before its last use") {
    ring.arrivals = "128";
    ring.before_release =
        "mbarrier_arrive(barrier + (2 + slot));\ntotal += tile.load(slot * 4096 + t) * 0;\n";
    ring.release = "";
    check_reported(ring, "shared byte");
  }
  SECTION("arrivals while a product goes on") {
    ring.use = kProduct;
    ring.release += "warpgroup_wait<0>();\n";
    check_reported(ring, "multiply_warpgroup");
  }
  SECTION("a product of a slot that was not waited for") {
    ring.wait_full = "";
    ring.use = kProduct + "warpgroup_wait<0>();\n";
    check_reported(ring, "shared byte");
  }
  SECTION("a product of a slot that one lane did not wait for") {
    ring.wait_full = "if (t != 70) " + ring.wait_full;
    ring.use = kProduct + "warpgroup_wait<0>();\n";
    check_reported(ring, "shared byte");
  }
}

TEST_CASE("a ring with the wrong number of arrivals is a deadlock", "[simt]") {
  Ring ring;
  ring.arrivals = "5";
  check_reported(ring, "of 5 arrivals came, 0 bytes are missing");
  ring.arrivals = "0";
  check_reported(ring, "is to take 0 arrivals");
}

TEST_CASE("bulk copies that no GPU makes are reported", "[simt]") {
  Ring ring;
  const auto copy = [&](const std::string& arguments) {
    ring.copy = "copy_bulk(" + arguments + ", barrier + slot);\n";
  };
  SECTION("odd bytes") {
    copy("tile, input, 8190");
    check_reported(ring, "a bulk copy of 8190 bytes");
  }
  SECTION("odd source") {
    copy("tile, input + 4, 8192");
    check_reported(ring, "all must be multiples of 16");
  }
  SECTION("odd destination") {
    copy("tile + 4, input, 8192");
    check_reported(ring, "to shared byte 8: all must be multiples of 16");
  }
  SECTION("beyond the tensor") {
    copy("tile, input + 20544, 8192");
    check_reported(ring, "load of 8192 bytes");
  }
  SECTION("beyond shared memory") {
    copy("tile + 8208, input, 16");
    check_reported(ring, "out of bounds: the block has 16416 bytes");
  }
}

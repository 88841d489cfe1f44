// Tensor copies and the mbarriers they arrive at: right, and each planted fault reported under every seed.
#include <cstring>

#include "isa/float_formats.h"
#include "simt/kernel_fixture.h"
#include "simt/simt_tensor_maps.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::test;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr int kSeeds = 20;
constexpr int kHeads = 2;
constexpr int kRows = 5;
constexpr int kColumns = 128;
constexpr int kBoxRows = 8;
constexpr int kBoxBytes = kBoxRows * kColumns * 2;

// Rows 1 on of head 1 are brought to shared byte 0 and from there to `output`; three of the eight rows are
// not there.
struct Box {
  std::vector<uint16_t> tensor;
  std::vector<uint16_t> output;
  TensorMap map{};
  TestLaunch launch;

  Box() : tensor(kHeads * kRows * kColumns), output(kBoxRows * kColumns) {
    for (size_t i = 0; i < tensor.size(); ++i)
      tensor[i] = static_cast<uint16_t>(i + 1);
    encode(0);
    launch.threads = 64;
    launch.params = {.input = tensor.data(), .second = &map, .output = output.data(), .n = 0};
    launch.input_bytes = 2 * tensor.size();
    launch.output_bytes = 2 * output.size();
    launch.shared_bytes = kBoxBytes + 16;
  }

  bool encode(int64_t more_row_stride) {
    return simt::SimtTensorMaps().encode(map, {.data = tensor.data(),
                                               .dtype = DType::bf16,
                                               .batch = 1,
                                               .heads = kHeads,
                                               .rows = kRows,
                                               .columns = kColumns,
                                               .row_stride = kColumns + more_row_stride,
                                               .head_stride = kRows * kColumns,
                                               .batch_stride = kHeads * kRows * kColumns,
                                               .box_rows = kBoxRows});
  }
  // For copies of one panel, of the first columns only.
  bool encode_panels(int64_t columns) {
    return simt::SimtTensorMaps().encode(map, {.data = tensor.data(),
                                               .dtype = DType::bf16,
                                               .batch = 1,
                                               .heads = kHeads,
                                               .rows = kRows,
                                               .columns = columns,
                                               .row_stride = kColumns,
                                               .head_stride = kRows * kColumns,
                                               .batch_stride = kHeads * kRows * kColumns,
                                               .box_rows = kBoxRows,
                                               .copies = PanelCopies::one});
  }
};

const std::string kHead =
    "const int t = thread_index();\n"
    "const Shared<bf16> tile = dynamic_shared<bf16>(0);\n"
    "const Shared<u64> barrier = dynamic_shared<u64>(2048);\n"
    "const TensorMap& map = *static_cast<const TensorMap*>(params.second);\n"
    "const Global<bf16> output(static_cast<bf16*>(params.output));\n"
    "(void)tile, (void)map, (void)output;\n";
const std::string kInit = "if (t == 0) { mbarrier_init(barrier); mbarrier_init_fence(); }\n";
const std::string kBarrier = "block_barrier();\n";
const std::string kExpect = "if (t == 0) mbarrier_expect(barrier, 2048);\n";
const std::string kCopy = "if (t == 0) copy_tensor(tile, map, barrier, 1, 1, 0);\n";
const std::string kWait = "mbarrier_wait(barrier, 0);\n";
const std::string kUse =
    "for (int panel = 0; panel < 2; ++panel)\n"
    "  output.store16((t / 8 * 16 + panel * 8 + t % 8) * 8,\n"
    "                 tile.load16(panel * 512 + t / 8 * 64 + (t % 8 ^ t / 8) * 8));\n";

KernelSource source(const std::string& body) {
  return test_kernel(64, kHead + body);
}

void check_clean(const std::string& body, Box& box, int columns) {
  const CompiledImage image = compile(source(body));
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    std::ranges::fill(box.output, uint16_t{0xffff});
    CHECK(report_of(image, box.launch.pack(), seed) == "");
    for (int row = 0; row < kBoxRows; ++row) {
      for (int column = 0; column < kColumns; ++column) {
        const int from = row + 1;
        const int expected = from < kRows && column < columns ? (kRows + from) * kColumns + column + 1 : 0;
        REQUIRE(box.output[row * kColumns + column] == expected);
      }
    }
  }
}

void check_clean(const std::string& body) {
  Box box;
  check_clean(body, box, kColumns);
}

void check_reported(const std::string& body, const std::vector<std::string>& parts, const Box& box = Box()) {
  const CompiledImage image = compile(source(body));
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    const std::string report = report_of(image, box.launch.pack(), seed);
    CHECK_THAT(report, ContainsSubstring("block 0, thread ") && ContainsSubstring("test.cuh:"));
    for (const std::string& part : parts)
      CHECK_THAT(report, ContainsSubstring(part));
  }
}

}  // namespace

TEST_CASE("a tensor copy brings panels, swizzled, with zeros for rows that are not there", "[simt]") {
  check_clean(kInit + kBarrier + kExpect + kCopy + kWait + kUse);
  SECTION("announced after it was started") {
    check_clean(kInit + kBarrier + kCopy + kExpect + kWait + kUse);
  }
  SECTION("shown to all by the block barrier that one passes who has waited") {
    check_clean(kInit + kBarrier + kExpect + kCopy + "if (t == 40) " + kWait + kBarrier + kUse);
  }
  SECTION("again in the next phase, once everybody has read") {
    check_clean(kInit + kBarrier + kExpect + kCopy + kWait + kUse + kBarrier + kExpect + kCopy +
                "mbarrier_wait(barrier, 1);\n" + kUse);
  }
}

TEST_CASE("copies of single panels bring zeros for columns that are not there, and count them", "[simt]") {
  const std::string copies =
      "if (t == 0) copy_panel(tile + 512, map, barrier, 1, 1, 1, 0);\n"
      "if (t == 0) copy_panel(tile, map, barrier, 0, 1, 1, 0);\n";
  for (const int columns : {72, 104, 128}) {
    Box box;
    REQUIRE(box.encode_panels(columns));
    check_clean(kInit + kBarrier + kExpect + copies + kWait + kUse, box, columns);
  }
}

TEST_CASE("copies by maps for others, or of panels that are not there, are reported", "[simt]") {
  const std::string begin = kInit + kBarrier + kExpect;
  Box box;
  SECTION("all panels by a map for single ones") {
    REQUIRE(box.encode_panels(72));
    check_reported(begin + kCopy, {"a tensor copy of all panels by a map for single panels"}, box);
  }
  SECTION("one panel by a map for all") {
    check_reported(begin + "if (t == 0) copy_panel(tile, map, barrier, 0, 1, 1, 0);\n",
                   {"a tensor copy of one panel by a map for all panels"});
  }
  SECTION("a panel beyond the last") {
    REQUIRE(box.encode_panels(64));
    check_reported(begin + "if (t == 0) copy_panel(tile, map, barrier, 1, 1, 1, 0);\n",
                   {"a tensor copy of panel 1 of a tensor of 64 columns"}, box);
  }
}

TEST_CASE("a tensor copy used without its wait is reported", "[simt]") {
  const std::vector<std::string> parts = {"where a tensor copy is in flight: thread 0 wrote by a tensor copy",
                                          "has not waited for it on its mbarrier"};
  SECTION("read") {
    check_reported(kInit + kBarrier + kExpect + kCopy + kUse, {""});  // or a race, whoever comes first
  }
  SECTION("read behind a barrier") {
    check_reported(kInit + kBarrier + kExpect + kCopy + kBarrier + kUse, parts);
  }
  SECTION("waited for with the wrong parity") {
    check_reported(kInit + kBarrier + kExpect + kCopy + kBarrier + "mbarrier_wait(barrier, 1);\n" + kUse,
                   {"mbarrier"});  // in flight, or a phase that never comes
  }
  SECTION("waited for by others only") {
    check_reported(kInit + kBarrier + kExpect + kCopy + "if (t != 40) " + kWait + kUse, {"shared byte"});
  }
  SECTION("written to") {
    check_reported(kInit + kBarrier + kExpect + kCopy + "if (t == 9) tile.store(70, bf16{0});\n" + kWait,
                   {"shared byte 140"});  // or a race, whoever comes first
  }
}

TEST_CASE("a tensor copy into what others still read is a data race", "[simt]") {
  check_reported(kInit + kBarrier + kExpect + kCopy + kWait + kUse + kExpect + kCopy, {"shared byte"});
}

TEST_CASE("an mbarrier whose phase never completes is reported as a deadlock", "[simt]") {
  SECTION("too few bytes announced") {
    check_reported(
        kInit + kBarrier + "if (t == 0) mbarrier_expect(barrier, 2032);\n" + kCopy + kWait,
        {"deadlock: phase 0 of the mbarrier at shared byte 2048 never completes: its arrival came, -16 "
         "bytes are missing. Everybody: threads 0-63 in mbarrier_wait (test.cuh:"});
  }
  SECTION("too many") {
    check_reported(kInit + kBarrier + "if (t == 0) mbarrier_expect(barrier, 4096);\n" + kCopy + kWait,
                   {"its arrival came, 2048 bytes are missing"});
  }
  SECTION("nobody arrived") {
    check_reported(kInit + kBarrier + kCopy + kWait, {"no arrival, -2048 bytes are missing"});
  }
  SECTION("while others wait in a block barrier") {
    check_reported(kInit + kBarrier + kExpect + "if (t < 32) " + kWait + kBarrier,
                   {"its arrival came, 2048 bytes are missing", "threads 32-63 in block_barrier"});
  }
}

TEST_CASE("misuse of mbarriers is reported", "[simt]") {
  SECTION("no fence") {
    check_reported("if (t == 0) mbarrier_init(barrier);\n" + kBarrier + kExpect + kCopy + kWait,
                   {"with no mbarrier_init_fence since its initialisation"});
  }
  SECTION("initialised behind nobody's barrier") {
    check_reported(kInit + kExpect + kCopy + kWait, {""});  // a race, or not there yet, whoever comes first
  }
  SECTION("not initialised") {
    check_reported(kBarrier + kExpect, {"no mbarrier was initialised at shared byte 2048"});
  }
  SECTION("twice") {
    check_reported(kInit + kInit, {"the mbarrier at shared byte 2048 is initialised twice"});
  }
  SECTION("a thread awaits every other phase") {  // as of a slot that is another's in between
    check_reported(
        kInit + "if (t == 0) { mbarrier_init(barrier + 1); mbarrier_init_fence(); }\n" + kBarrier +
            "if (t == 0) {\nmbarrier_arrive(barrier);\nmbarrier_arrive(barrier);\n"
            "mbarrier_arrive(barrier + 1);\n}\n"
            "if (t == 32) {\nmbarrier_wait(barrier + 1, 0);\nmbarrier_wait(barrier, 1);\n}\n",
        {"phase 1 of the mbarrier at shared byte 2048 is awaited by a thread that does not know of "
         "phase 0"});
  }
  SECTION("two arrivals in one phase") {
    check_reported(kInit + kBarrier + kExpect + kExpect,
                   {"arrival 2 in one phase of the mbarrier at shared byte 2048, which takes 1"});
  }
}

TEST_CASE("a tensor copy of what is not there, or to where it cannot go, is reported", "[simt]") {
  Box box;
  const std::string begin = kInit + kBarrier + kExpect;
  const auto copy = [](const std::string& destination, const std::string& place) {
    return "if (t == 0) copy_tensor(" + destination + ", map, barrier, " + place + ");\n";
  };
  SECTION("a head beyond the last") {
    check_reported(begin + copy("tile", "0, 2, 0"), {"from row 0 of head 2 of sequence 0", "has 2 heads"});
  }
  SECTION("rows outside of the launch's tensors") {
    REQUIRE(box.encode(64));
    check_reported(begin + copy("tile", "0, 1, 0"), {"load of 256 bytes", "nearest tensor region, 0 of 2"},
                   box);
  }
  SECTION("between two swizzles") {
    check_reported(begin + copy("tile + 64", "0, 0, 0"), {"to shared byte 128: must be a multiple of 1024"});
  }
  SECTION("beyond shared memory") {
    check_reported(begin + copy("tile + 512", "0, 0, 0"), {"out of bounds: the block has 2064 bytes"});
  }
  SECTION("by a map that nobody encoded") {
    box.map = TensorMap{};
    check_reported(begin + kCopy, {"a tensor copy by a map that nobody encoded"}, box);
  }
}

TEST_CASE("tensor maps of the emulator refuse what a GPU's refuse") {
  const simt::SimtTensorMaps maps;
  alignas(16) static uint16_t data[64];
  const PanelTensor good{.data = data,
                         .dtype = DType::f16,
                         .batch = 1,
                         .heads = 1,
                         .rows = 1,
                         .columns = 64,
                         .row_stride = 64,
                         .head_stride = 0,
                         .batch_stride = 0,
                         .box_rows = 64};
  TensorMap map{};
  REQUIRE(maps.encode(map, good));
  CHECK(simt::decode(map)->row_stride == 64);
  const auto refused = [&](auto&& change) {
    PanelTensor bad = good;
    change(bad);
    return !maps.encode(map, bad);
  };
  CHECK(refused([](PanelTensor& t) { t.data = data + 1; }));
  CHECK(refused([](PanelTensor& t) { t.row_stride = 68; }));
  CHECK(refused([](PanelTensor& t) { t.row_stride = int64_t{1} << 39; }));
  CHECK(refused([](PanelTensor& t) { t.rows = 0; }));
  CHECK(refused([](PanelTensor& t) { t.box_rows = 257; }));
  CHECK(refused([](PanelTensor& t) { t.columns = 72; }));
  CHECK_FALSE(refused([](PanelTensor& t) {
    t.columns = 72;
    t.copies = PanelCopies::one;
  }));
}

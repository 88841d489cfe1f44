// Stores of the copy engine: right, and each planted fault reported under every seed.
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
constexpr int kColumns = 72;
constexpr int kRowStride = 80;
constexpr int kBoxRows = 8;
constexpr int kBoxBytes = kBoxRows * 128;
constexpr uint16_t kUntouched = 0xffff;

// A box of `input` goes through shared byte 0 to a tensor that ends within the box.
struct Store {
  std::vector<uint16_t> input;
  std::vector<uint16_t> tensor;
  TensorMap map{};
  TestLaunch launch;

  Store() : input(kBoxBytes / 2), tensor(kHeads * kRows * kRowStride, kUntouched) {
    for (size_t i = 0; i < input.size(); ++i)
      input[i] = static_cast<uint16_t>(i + 1);
    encode(kRowStride, PanelCopies::one);
    launch.threads = 64;
    launch.params = {.input = input.data(), .second = &map, .output = tensor.data(), .n = 0};
    launch.input_bytes = 2 * input.size();
    launch.output_bytes = 2 * tensor.size();
    launch.shared_bytes = 2 * kBoxBytes + 16;
  }

  bool encode(int64_t row_stride, PanelCopies copies, int64_t columns = kColumns) {
    return simt::SimtTensorMaps().encode(map, {.data = tensor.data(),
                                               .dtype = DType::bf16,
                                               .batch = 1,
                                               .heads = kHeads,
                                               .rows = kRows,
                                               .columns = columns,
                                               .row_stride = row_stride,
                                               .head_stride = kRows * row_stride,
                                               .batch_stride = kHeads * kRows * row_stride,
                                               .box_rows = kBoxRows,
                                               .copies = copies});
  }
};

const std::string kHead =
    "const int t = thread_index();\n"
    "const Shared<bf16> tile = dynamic_shared<bf16>(0);\n"
    "const Shared<u64> barrier = dynamic_shared<u64>(2048);\n"
    "const TensorMap& map = *static_cast<const TensorMap*>(params.second);\n"
    "const Global<const bf16> input(static_cast<const bf16*>(params.input));\n"
    "const int place = t / 8 * 64 + (t % 8 ^ t / 8) * 8;\n"
    "(void)tile, (void)map, (void)input, (void)barrier, (void)place;\n";
const std::string kWrite = "tile.store16(place, input.load16(8 * t));\n";
const std::string kFence = "async_proxy_fence();\n";
const std::string kBarrier = "block_barrier();\n";
const std::string kStore = "if (t == 0) store_tensor(map, tile, 0, 1, 1, 0);\n";
const std::string kCommit = "if (t == 0) bulk_commit();\n";
const std::string kWait = "if (t == 0) bulk_wait_read<0>();\n";
const std::string kReady = kWrite + kFence + kBarrier;

KernelSource source(const std::string& body) {
  return test_kernel(64, kHead + body);
}

// Of the box, rows and columns from those on are in the tensor.
void check_clean(const std::string& body, int first_row = 1, int first_column = 0) {
  const CompiledImage image = compile(source(body));
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Store store;
    CHECK(report_of(image, store.launch.pack(), seed) == "");
    for (int i = 0; i < kHeads * kRows * kRowStride; ++i) {
      const int column = i % kRowStride;
      const int row = i / kRowStride % kRows;
      const bool stored = i / (kRows * kRowStride) == 1 && row >= first_row && column >= first_column &&
                          column < kColumns && column < first_column + 64;
      const int expected = stored ? (row - first_row) * 64 + column - first_column + 1 : kUntouched;
      REQUIRE(store.tensor[static_cast<size_t>(i)] == expected);
    }
  }
}

void check_reported(const std::string& body, const std::vector<std::string>& parts,
                    const Store& store = Store()) {
  const CompiledImage image = compile(source(body));
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    const std::string report = report_of(image, store.launch.pack(), seed);
    CHECK_THAT(report, ContainsSubstring("thread ") && ContainsSubstring("test.cuh:"));
    for (const std::string& part : parts)
      CHECK_THAT(report, ContainsSubstring(part));
  }
}

std::string store_from(const std::string& source, const std::string& place) {
  return "if (t == 0) store_tensor(map, " + source + ", " + place + ");\n";
}

}  // namespace

TEST_CASE("a tensor store writes a panel, but for rows and columns that are not there", "[simt]") {
  check_clean(kReady + kStore + kCommit + kWait);
  SECTION("the last columns alone, of which nothing else was written") {
    check_clean("if (t % 8 == 0) " + kReady + store_from("tile", "64, 1, 1, 0") + kCommit + kWait, 1, 64);
  }
  SECTION("no row at all") {
    check_clean(kReady + store_from("tile", "0, 6, 1, 0") + kCommit + kWait, 6);
  }
  SECTION("again, once it has been read") {
    check_clean(kReady + kStore + kCommit + kWait + kBarrier + kReady + kStore + kCommit + kWait);
  }
  SECTION("from two tiles, of which the older one is waited for") {
    const std::string other = "tile.store16(512 + place, input.load16(8 * t));\n" + kFence + kBarrier +
                              store_from("tile + 512", "0, 1, 1, 0");
    check_clean(kReady + kStore + kCommit + other + kCommit + "if (t == 0) bulk_wait_read<1>();\n" +
                kBarrier + kWrite + kWait);
  }
  SECTION("while others read the tile") {
    check_clean(kReady + kStore + kCommit + "if (tile.load(8 * t).bits == 7) return;\n" + kWait);
  }
  SECTION("what a bulk copy brought, without a fence") {
    check_clean(
        "if (t == 0) { mbarrier_init(barrier); mbarrier_init_fence(); }\n" + kBarrier +
        "if (t == 0) {\n"
        "  mbarrier_expect(barrier, 1024);\n"
        "  copy_bulk(tile + 512, input, 1024, barrier);\n"
        "  mbarrier_wait(barrier, 0);\n"
        "  for (int i = 0; i < 64; ++i) tile.store16(i / 8 * 64 + (i % 8 ^ i / 8) * 8, tile.load16(512 "
        "+ 8 * i));\n"
        "  tile.store(0, bf16{1});\n"
        "  async_proxy_fence();\n"
        "  store_tensor(map, tile, 0, 1, 1, 0);\n"
        "  store_tensor(map, tile + 512, 0, 6, 1, 0);\n"
        "}\n" +
        kCommit + kWait);
  }
  SECTION("of what others wrote and told by an mbarrier") {
    check_clean("if (t == 0) { mbarrier_init(barrier, 64); mbarrier_init_fence(); }\n" + kBarrier + kWrite +
                kFence + "mbarrier_arrive(barrier);\nif (t == 0) mbarrier_wait(barrier, 0);\n" + kStore +
                kCommit + kWait);
  }
}

TEST_CASE("a tensor store of what the copy engine may not see is reported", "[simt]") {
  const std::string end = kStore + kCommit + kWait;
  const std::vector<std::string> unfenced = {"a tensor store of shared byte ", " wrote (test.cuh:",
                                             "did not call async_proxy_fence between that and a barrier"};
  SECTION("no fence") {
    check_reported(kWrite + kBarrier + end, unfenced);
  }
  SECTION("no fence in one thread") {
    check_reported(kWrite + "if (t != 20) " + kFence + kBarrier + end, unfenced);
    check_reported(kWrite + "if (t != 20) " + kFence + kBarrier + end, {"shared byte 352: thread 20 wrote"});
  }
  SECTION("by the storing thread only") {
    check_reported(kWrite + kBarrier + "if (t == 0) " + kFence + end, unfenced);
  }
  SECTION("before the write") {
    check_reported(kFence + kWrite + kBarrier + end, unfenced);
  }
  SECTION("before the write in the next round") {
    check_reported(kReady + end + kBarrier + kFence + kWrite + kBarrier + end, unfenced);
  }
  SECTION("behind the barrier") {
    check_reported(kWrite + kBarrier + "if (t != 0) " + kFence + end, unfenced);
  }
  SECTION("of an asynchronous copy") {
    check_reported("copy_async16(tile + place, input + 8 * t);\ncopy_async_commit();\n" + kFence +
                       "copy_async_wait<0>();\n" + kBarrier + end,
                   {"wrote by an asynchronous copy", "did not call async_proxy_fence"});
  }
}

TEST_CASE("a tensor store of what is not written yet is reported", "[simt]") {
  const std::string end = kStore + kCommit + kWait;
  SECTION("no barrier") {
    check_reported(kWrite + kFence + end, {"shared byte"});  // a race, or nobody wrote, whoever comes first
  }
  SECTION("no barrier in the next round") {
    check_reported(kReady + end + kBarrier + kWrite + kFence + end, {"shared byte"});
  }
  SECTION("a line that nobody wrote") {
    check_reported("if (t != 13) " + kReady + end,
                   {"a tensor store of shared byte 192, which nobody in this block wrote"});
  }
  SECTION("an element that nobody wrote") {
    check_reported("if (t != 13) " + kWrite +
                       "else for (int i = 0; i < 7; ++i) tile.store(place + i, bf16{1});\n" + kFence +
                       kBarrier + end,
                   {"a tensor store of shared byte 206, which nobody in this block wrote"});
  }
  SECTION("what only another block wrote") {
    Store store;
    store.launch.grid = 2;
    check_reported("if (block_index() == 0) " + kWrite + kFence + kBarrier + end,
                   {"block 1, thread 0", "which nobody in this block wrote"}, store);
  }
  SECTION("a tensor copy in flight") {
    check_reported("if (t == 0) { mbarrier_init(barrier); mbarrier_init_fence(); }\n" + kBarrier +
                       "if (t == 0) {\n"
                       "  mbarrier_expect(barrier, 1024);\n"
                       "  copy_bulk(tile, input, 1024, barrier);\n"
                       "}\n" +
                       end,
                   {"where a tensor copy is in flight"});
  }
}

TEST_CASE("overwriting what a tensor store still reads is reported", "[simt]") {
  const std::vector<std::string> unfinished = {"store of 16 bytes at shared byte",
                                               "which an unfinished tensor store reads: thread 0 read by a "
                                               "tensor store (test.cuh:",
                                               "and no bulk_wait_read of that thread has covered it"};
  const std::string again = kBarrier + kWrite;
  SECTION("no wait") {
    check_reported(kReady + kStore + kCommit + again, unfinished);
  }
  SECTION("no commit") {
    check_reported(kReady + kStore + kWait + again, unfinished);
  }
  SECTION("a wait by others") {
    check_reported(kReady + kStore + kCommit + "if (t != 0) bulk_wait_read<0>();\n" + again, unfinished);
  }
  SECTION("a wait for all but the newest group") {
    check_reported(kReady + kStore + kCommit + "if (t == 0) bulk_wait_read<1>();\n" + again, unfinished);
  }
  SECTION("no barrier") {
    check_reported(kReady + kStore + kCommit + kWait + kWrite, {"shared byte"});  // or a race
  }
  SECTION("by a bulk copy") {
    check_reported("if (t == 0) { mbarrier_init(barrier); mbarrier_init_fence(); }\n" + kReady + kStore +
                       kCommit +
                       "if (t == 0) {\n"
                       "  mbarrier_expect(barrier, 1024);\n"
                       "  copy_bulk(tile, input, 1024, barrier);\n"
                       "}\n" +
                       kWait,
                   unfinished);
  }
  SECTION("by the thread's end") {
    const std::string ended = "the thread ended without a bulk_wait_read that covers this tensor store";
    check_reported(kReady + kStore + kCommit, {"block 0, thread 0", ended});
    check_reported(kReady + kStore + kWait + kCommit, {"block 0, thread 0", ended});
  }
}

TEST_CASE("a tensor store to where it cannot go, or from there, is reported", "[simt]") {
  Store store;
  SECTION("a head beyond the last") {
    check_reported(kReady + store_from("tile", "0, 0, 2, 0"),
                   {"to column 0 and row 0 of head 2 of sequence 0", "has 2 heads"});
  }
  SECTION("rows outside of the launch's tensors") {
    REQUIRE(store.encode(kRowStride + 64, PanelCopies::one));
    check_reported(kReady + kStore, {"store of 128 bytes", "nearest tensor region, 1 of 2"}, store);
  }
  SECTION("between two swizzles") {
    check_reported(kReady + store_from("tile + 64", "0, 0, 0, 0"),
                   {"a tensor store of shared byte 128: must be a multiple of 1024"});
  }
  SECTION("beyond shared memory") {
    check_reported(kReady + store_from("tile + 1536", "0, 4, 0, 0"),
                   {"out of bounds: the block has 2064 bytes"});
  }
  SECTION("by a map that nobody encoded") {
    store.map = TensorMap{};
    check_reported(kReady + kStore, {"a tensor store by a map that nobody encoded"}, store);
  }
  SECTION("by a map of all panels") {
    REQUIRE(store.encode(kRowStride, PanelCopies::all, PanelTensor::kPanelColumns));
    check_reported(kReady + kStore, {"a tensor store of one panel by a map of all panels"}, store);
  }
}

TEST_CASE("matrices are stored to the rows that lanes name", "[simt]") {
  constexpr int kWords = 256;  // two times four matrices
  std::vector<uint32_t> output(kWords);
  TestLaunch launch;
  launch.shared_bytes = 4 * kWords;
  launch.params = {.input = nullptr, .second = nullptr, .output = output.data(), .n = 0};
  launch.output_bytes = 4 * output.size();
  const auto report = [&](const std::string& row, uint64_t seed) {
    return report_of(
        compile(test_kernel(32,
                            "const int lane = lane_index();\n"
                            "const Shared<u32> tile = dynamic_shared<u32>(0);\n"
                            "u32 fragment[2][4];\n"
                            "for (int i = 0; i < 8; ++i) fragment[i / 4][i % 4] = 100 * i + lane;\n"
                            "store_matrices(fragment, [&](int i) { return tile + 4 * (" +
                                row +
                                "); });\n"
                                "warp_barrier();\n"
                                "const Global<u32> output(static_cast<u32*>(params.output));\n"
                                "for (int i = lane; i < 256; i += 32) output.store(i, "
                                "tile.load(i));\n")),
        launch.pack(), seed);
  };
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    REQUIRE(report("32 * i + 31 - lane", seed) == "");
    for (int i = 0; i < kWords; ++i) {
      const int lane = 31 - i / 4 % 32;  // which named the row
      CHECK(output[static_cast<size_t>(i)] ==
            static_cast<uint32_t>(100 * (i / 128 * 4 + lane / 8) + lane % 8 * 4 + i % 4));
    }
  }
  CHECK_THAT(report("32 * i + lane / 2", 1), ContainsSubstring("data race on shared byte"));
  CHECK_THAT(report("32 * i + lane + 1", 1), ContainsSubstring("out of bounds"));
}

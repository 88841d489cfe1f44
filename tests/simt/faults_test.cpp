// Planted faults: each must be reported, with block and thread, under every seed; the text without it must
// run clean.
#include "simt/kernel_fixture.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::test;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr int kSeeds = 20;

void check_clean(const KernelSource& source, const Launch& launch) {
  const CompiledImage image = compile(source);
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    CHECK(report_of(image, launch, seed) == "");
  }
}

void check_reported(const KernelSource& source, const Launch& launch, const std::vector<std::string>& parts) {
  const CompiledImage image = compile(source);
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    const std::string report = report_of(image, launch, seed);
    if (seed == 1) UNSCOPED_INFO(report);
    CHECK_THAT(report, ContainsSubstring("block ") && ContainsSubstring("thread "));
    CHECK_THAT(report, ContainsSubstring(source.main_path + ":"));
    for (const std::string& part : parts)
      CHECK_THAT(report, ContainsSubstring(part));
  }
}

const std::string kRowSoftmax = "row_softmax.cuh";

}  // namespace

TEST_CASE("row_softmax runs clean and right under every seed", "[simt]") {
  RowSoftmaxLaunch work(9, 300);
  check_clean(row_softmax_source(), work.launch);
  CHECK(work.worst_error() < 1e-6);
}

TEST_CASE("a barrier that was removed is a data race", "[simt]") {
  RowSoftmaxLaunch work(9, 300);
  const KernelSource source = with_change(
      row_softmax_source(), kRowSoftmax,
      "block_barrier();\n  float result = partial.load(0);\n  for (int warp = 1; warp < WARPS; ++warp)\n    "
      "result = maximum(",
      "float result = partial.load(0);\n  for (int warp = 1; warp < WARPS; ++warp)\n    result = maximum(");
  check_reported(source, work.launch,
                 {"row_softmax: block 0, thread ", "data race on shared byte", "between"});
}

TEST_CASE("shared memory used again without a barrier is a data race", "[simt]") {
  RowSoftmaxLaunch work(9, 300);
  const KernelSource source =
      with_change(row_softmax_source(), kRowSoftmax, "dynamic_shared<float>(kLayout.sum_offset())",
                  "dynamic_shared<float>(kLayout.maximum_offset())");
  check_reported(source, work.launch, {"data race on shared byte", "between"});
}

TEST_CASE("a barrier in one branch only is reported", "[simt]") {
  RowSoftmaxLaunch work(9, 300);
  const std::string barrier =
      "block_barrier();\n  float result = partial.load(0);\n  for (int warp = 1; warp < WARPS; ++warp)\n    "
      "result += ";
  const std::string rest = barrier.substr(barrier.find('\n'));
  SECTION("of one warp") {
    const KernelSource source = with_change(row_softmax_source(), kRowSoftmax, barrier,
                                            "if (warp_index() != 2) block_barrier();" + rest);
    // Warp 2 goes on to the next barrier, so everybody is a barrier off, until the end shows it or the memory
    // does.
    const CompiledImage image = compile(source);
    for (uint64_t seed = 1; seed <= kSeeds; ++seed)
      CHECK(report_of(image, work.launch, seed) != "");
  }
  SECTION("of one lane") {
    const KernelSource source = with_change(row_softmax_source(), kRowSoftmax, barrier,
                                            "if (lane_index() == 3) block_barrier();" + rest);
    const CompiledImage image = compile(source);
    for (uint64_t seed = 1; seed <= kSeeds; ++seed)
      CHECK(report_of(image, work.launch, seed) != "");
  }
  SECTION("and nothing else") {
    const KernelSource lonely = test_kernel(64, "if (warp_index() == 1) block_barrier();");
    TestLaunch launch;
    launch.threads = 64;
    check_reported(
        lonely, launch.pack(),
        {"test: block 0, thread 32 (warp 1, lane 0), test.cuh:13",
         "deadlock: block_barrier was reached by 32 of 64 threads of the block; missing: threads 0-31",
         "threads 0-31 ended; threads 32-63 in block_barrier (test.cuh:13)"});
  }
}

TEST_CASE("an access outside shared memory is reported", "[simt]") {
  RowSoftmaxLaunch work(9, 300);
  SECTION("behind it") {
    const KernelSource source = with_change(
        row_softmax_source(), kRowSoftmax,
        "partial.store(warp_index(), of_warp);\n  block_barrier();\n  float result = partial.load(0);\n"
        "  for (int warp = 1; warp < WARPS; ++warp)\n    result = maximum",
        "partial.store(warp_index() + 13, of_warp);\n  block_barrier();\n  float result = partial.load(0);\n"
        "  for (int warp = 1; warp < WARPS; ++warp)\n    result = maximum");
    check_reported(source, work.launch,
                   {"thread 96 (warp 3, lane 0)",
                    "store of 4 bytes at shared byte 64 is out of bounds: the block has 64 bytes"});
  }
  SECTION("before it") {
    TestLaunch launch;
    launch.shared_bytes = 64;
    check_reported(test_kernel(32, "dynamic_shared<float>(0).load(thread_index() == 9 ? -1 : 0);"),
                   launch.pack(), {"thread 9 ", "load of 4 bytes at shared byte -4 is out of bounds"});
  }
}

TEST_CASE("an access outside the launch's tensors is reported", "[simt]") {
  RowSoftmaxLaunch work(8, 300);
  SECTION("by a store behind the last row") {
    const KernelSource source =
        with_change(row_softmax_source(), kRowSoftmax, "output.store(column,", "output.store(column + 1,");
    check_reported(
        source, work.launch,
        {"block 3, thread 43 ", "store of 4 bytes", "ends 4 bytes behind the nearest tensor region, 1 of 2"});
  }
  SECTION("by a load before the first row") {
    const KernelSource source =
        with_change(row_softmax_source(), kRowSoftmax, "(params.input) + row * params.row_stride",
                    "(params.input) + (row * params.row_stride - 2)");
    check_reported(source, work.launch,
                   {"block 0, thread ", "load of 4 bytes", "before the nearest tensor region, 0 of 2"});
  }
  SECTION("although it lies in the same allocation") {
    work.launch.regions[0].bytes -= 4;
    check_reported(row_softmax_source(), work.launch,
                   {"block 3, thread 43 ", "ends 4 bytes behind the nearest tensor region, 0 of 2"});
  }
}

TEST_CASE("a misaligned vector access is reported", "[simt]") {
  alignas(16) static float memory[64] = {};
  TestLaunch launch;
  launch.params = {.input = memory, .second = nullptr, .output = memory, .n = 0};
  launch.input_bytes = sizeof memory;
  launch.shared_bytes = 256;
  const auto reported = [&](const char* body, const std::vector<std::string>& parts) {
    check_reported(test_kernel(32, body), launch.pack(), parts);
  };
  SECTION("of global memory") {
    reported(
        "Global<const float>(static_cast<const float*>(params.input)).load16(thread_index() == 5 ? 6 : 4);",
        {"thread 5 ", "misaligned load of 16 bytes", "byte 24 of tensor region 0: must be a multiple of 16"});
  }
  SECTION("of shared memory") {
    reported("if (thread_index() == 3) dynamic_shared<float>(0).store16(2, Bytes16{});",
             {"misaligned store of 16 bytes at shared byte 8: must be a multiple of 16"});
  }
  SECTION("of a pair") {
    reported("dynamic_shared<bf16>(0).store_pair(2 * thread_index() + (thread_index() == 7), 0);",
             {"thread 7 ", "misaligned store of 4 bytes at shared byte 30: must be a multiple of 4"});
  }
  SECTION("by an asynchronous copy, of its destination") {
    reported(
        "copy_async16(dynamic_shared<float>(4), Global<const float>(static_cast<const "
        "float*>(params.input)));",
        {"misaligned store of 16 bytes at shared byte 4"});
  }
  SECTION("by an asynchronous copy, of its source") {
    reported(
        "copy_async16(dynamic_shared<float>(16 * thread_index()), "
        "Global<const float>(static_cast<const float*>(params.input)) + 1);",
        {"misaligned load of 16 bytes"});
  }
}

TEST_CASE("too few bytes of shared memory launched are reported", "[simt]") {
  RowSoftmaxLaunch work(9, 300);
  work.launch.shared_bytes -= 16;
  check_reported(row_softmax_source(), work.launch,
                 {"the kernel's layout needs exactly 64 bytes of dynamic shared memory, launched with 48"});
}

TEST_CASE("lanes of a warp that meet in different verbs are reported", "[simt]") {
  TestLaunch launch;
  SECTION("of different kinds") {
    check_reported(test_kernel(32, "if (lane_index() < 16) warp_maximum(1.0f);\nelse warp_sum(1.0f);"),
                   launch.pack(), {"divergence within a warp: this lane calls warp_", "waits in warp_"});
  }
  SECTION("of one kind at different places") {
    check_reported(test_kernel(32, "if (lane_index() == 31) warp_barrier();\nelse warp_barrier();"),
                   launch.pack(), {"divergence within a warp: this lane calls warp_barrier, while lane"});
  }
  SECTION("by a lane that never comes") {
    check_reported(
        test_kernel(32, "if (lane_index() != 17) warp_barrier();"), launch.pack(),
        {"deadlock: warp_barrier was reached by 31 of 32 threads of the warp; missing: thread 17"});
  }
  SECTION("by a lane that stays behind for ever") {
    check_reported(test_kernel(32, "while (lane_index() == 4) warp_barrier();"), launch.pack(),
                   {"thread 4 ", "deadlock: warp_barrier was reached by 1 of 32 threads of the warp"});
  }
}

TEST_CASE("asynchronous copies", "[simt]") {
  alignas(16) static float memory[128];
  for (int i = 0; i < 128; ++i)
    memory[i] = static_cast<float>(i);
  static float output[64];
  TestLaunch launch;
  launch.threads = 64;
  launch.params = {.input = memory, .second = nullptr, .output = output, .n = 0};
  launch.input_bytes = sizeof memory;
  launch.output_bytes = sizeof output;
  launch.shared_bytes = 1024;
  // Thread t copies four floats; then everybody reads the first of the four that its left neighbour copied.
  const std::string head =
      "const Global<const float> input(static_cast<const float*>(params.input));\n"
      "const Shared<float> tile = dynamic_shared<float>(0);\n"
      "const int t = thread_index();\n"
      "const int neighbour = (t + 63) % 64;\n"
      "const Global<float> output(static_cast<float*>(params.output));\n"
      "copy_async16(tile + 4 * t, input + 4 * (t % 32), t % 2 == 0 ? 16 : 0);\n";
  const auto source = [&](const std::string& rest) { return test_kernel(64, head + rest); };
  const std::string commit = "copy_async_commit();\n";
  const std::string wait = "copy_async_wait<0>();\n";
  const std::string barrier = "block_barrier();\n";
  const std::string use = "output.store(t, tile.load(4 * neighbour));\n";

  SECTION("waited for, then a barrier: right, and zeros where nothing was valid") {
    check_clean(source(commit + wait + barrier + use), launch.pack());
    for (int t = 0; t < 64; ++t) {
      const int neighbour = (t + 63) % 64;
      CHECK(output[t] == (neighbour % 2 == 0 ? memory[4 * (neighbour % 32)] : 0.0f));
    }
  }
  SECTION("read without a wait") {
    check_reported(source(commit + barrier + use), launch.pack(),
                   {"where an asynchronous copy is in flight: thread ", "is in flight"});
  }
  SECTION("read by their own thread without a wait") {
    check_reported(source(commit + "output.store(t, tile.load(4 * t));"), launch.pack(), {"is in flight"});
  }
  SECTION("not committed") {
    check_reported(source(wait + barrier + use), launch.pack(), {"is in flight"});
  }
  SECTION("of the newest group, when only older ones were waited for") {
    check_reported(source(commit + "copy_async_wait<1>();\n" + barrier + use), launch.pack(),
                   {"is in flight"});
  }
  SECTION("no barrier after the wait") {
    check_reported(source(commit + wait + use), launch.pack(),
                   {""});  // in flight or a race, whoever comes first
    check_reported(source(commit + wait + "warp_barrier();\nif (t % 32 == 0) " + use), launch.pack(),
                   {"thread "});
  }
  SECTION("written to while in flight") {
    check_reported(source("tile.store(4 * t, 1.0f);\n" + commit + wait), launch.pack(),
                   {"store of 4 bytes at shared byte", "is in flight"});
  }
  SECTION("two into one place") {
    check_reported(source("copy_async16(tile + 4 * t, input);\n" + commit + wait), launch.pack(),
                   {"store of 16 bytes", "is in flight"});
  }
  SECTION("into what others still read") {
    check_reported(
        source(commit + wait + barrier + use + "copy_async16(tile + 4 * t, input);\n" + commit + wait),
        launch.pack(), {""});
  }
  SECTION("into what others have read, after a barrier") {
    check_clean(source(commit + wait + barrier + use + barrier + "copy_async16(tile + 4 * t, input);\n" +
                       commit + wait),
                launch.pack());
  }
}

TEST_CASE("only barriers order shared memory within a warp", "[simt]") {
  TestLaunch launch;
  launch.shared_bytes = 128;
  const std::string write = "dynamic_shared<float>(0).store(lane_index(), 1.0f);\n";
  const std::string read = "dynamic_shared<float>(0).load((lane_index() + 1) % 32);\n";
  check_clean(test_kernel(32, write + "warp_barrier();\n" + read), launch.pack());
  check_reported(test_kernel(32, write + read), launch.pack(),
                 {"data race", "no block_barrier or warp_barrier between"});
  check_reported(test_kernel(32, write + "warp_sum(1.0f);\n" + read), launch.pack(), {"data race"});
}

TEST_CASE("a warp barrier does not order other warps", "[simt]") {
  TestLaunch launch;
  launch.threads = 64;
  launch.shared_bytes = 256;
  const std::string write = "dynamic_shared<float>(0).store(thread_index(), 1.0f);\n";
  const std::string read = "dynamic_shared<float>(0).load((thread_index() + 32) % 64);\n";
  check_clean(test_kernel(64, write + "block_barrier();\n" + read), launch.pack());
  check_reported(test_kernel(64, write + "warp_barrier();\n" + read), launch.pack(),
                 {"data race", "between"});
}

TEST_CASE("two writers of one place race although they write the same", "[simt]") {
  TestLaunch launch;
  launch.shared_bytes = 16;
  check_reported(test_kernel(32, "dynamic_shared<float>(0).store(0, 1.0f);"), launch.pack(),
                 {"data race on shared byte 0", "wrote (test.cuh:13), then thread"});
}

TEST_CASE("neighbours in one line of 16 bytes do not race", "[simt]") {
  TestLaunch launch;
  launch.shared_bytes = 64;
  check_clean(test_kernel(32, "dynamic_shared<bf16>(0).store(thread_index(), bf16{0});"), launch.pack());
}

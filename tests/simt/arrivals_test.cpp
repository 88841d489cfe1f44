// Blocks that count their arrivals: one of them is the last, it sees what the others wrote, and the counter
// is zero again; a counter that is no one's is reported.
#include <algorithm>

#include "simt/kernel_fixture.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::test;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr int kBlocks = 50;
constexpr int kThreads = 64;

// Every thread of every block leaves a number; the last block adds all of them up. Output: numbers, counter
// in two words, sum.
KernelSource source(const std::string& counter = "static_cast<u32*>(params.output) + numbers") {
  return test_kernel(
      kThreads,
      "const Global<u32> out(static_cast<u32*>(params.output));\n"
      "const Shared<u32> word = dynamic_shared<u32>(0);\n"
      "const int numbers = params.n * 64;\n"
      "const u32 own = static_cast<u32>(block_index()) * 64 + thread_index();\n"
      "out.store(own, own + 1);\n"
      "block_barrier();\n"
      "if (thread_index() == 0) word.store(0, arrive_last(Global<u64>(reinterpret_cast<u64*>(" +
          counter +
          ")), static_cast<u32>(params.n)) ? 1 : 0);\n"
          "block_barrier();\n"
          "if (word.load(0) != 0 && thread_index() == 0) {\n"
          "  u32 sum = 0;\n"
          "  for (int i = 0; i < numbers; ++i) sum += out.load(i);\n"
          "  out.store(numbers + 2, out.load(numbers + 2) + sum);\n"
          "}\n");
}

struct Arrivals {
  std::vector<uint32_t> output = filled<uint32_t>(kBlocks * kThreads + 3, 0);
  TestLaunch launch;

  Arrivals() {
    launch.threads = kThreads;
    launch.grid = kBlocks;
    launch.shared_bytes = 16;
    launch.params = {.input = nullptr, .second = nullptr, .output = output.data(), .n = kBlocks};
    launch.output_bytes = 4 * output.size();
  }
};

constexpr uint32_t kSum = (kBlocks * kThreads) * (kBlocks * kThreads + 1) / 2;

}  // namespace

TEST_CASE("one block arrives last, whatever the counter held before the first launch", "[simt]") {
  const CompiledImage image = compile(source());
  for (const char* options :
       {"threads=1,seed=1", "threads=1,seed=2", "threads=2,seed=3", "threads=4,seed=4"}) {
    INFO(options);
    const auto backend = make_simt_backend("", options, {});
    const auto module = backend->load(image, 16);
    Arrivals arrivals;
    std::fill_n(arrivals.output.begin() + kBlocks * kThreads, 2, 0xffffffffu);
    for (uint32_t turn = 1; turn <= 3; ++turn) {
      backend->launch(*module, arrivals.launch.pack(), nullptr);
      CHECK(arrivals.output[kBlocks * kThreads] == 0);
      CHECK(arrivals.output[kBlocks * kThreads + 2] == turn * kSum);
    }
  }
}

TEST_CASE("a counter outside the launch's memory, or between its words, is reported", "[simt]") {
  Arrivals arrivals;
  const auto report = [&](const char* counter) {
    return report_of(compile(source(counter)), arrivals.launch.pack(), 1);
  };
  CHECK_THAT(report("static_cast<u32*>(params.output) + numbers + 4"), ContainsSubstring("out of bounds"));
  CHECK_THAT(report("static_cast<u32*>(params.output) + numbers + 1"), ContainsSubstring("misaligned"));
}

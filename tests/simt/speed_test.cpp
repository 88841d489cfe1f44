// How fast the emulator is. Run by hand: test_simt "[speed]".
#include <ctime>
#include <iostream>

#include "simt/kernel_fixture.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::test;

namespace {

// CPU seconds of the best of three launches on one OS thread.
double seconds_of(const KernelSource& source, const Launch& launch, simt::RunReport& report) {
  const CompiledImage image = compile(source);
  const auto backend = make_simt_backend("", "threads=1", {});
  const auto module = backend->load(image, 64 * 1024);
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const std::clock_t start = std::clock();
    backend->launch(*module, launch, nullptr);
    best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  report = backend->last_run_report();
  return best;
}

}  // namespace

TEST_CASE("cost of a rendezvous and of a block barrier", "[.][simt][speed]") {
  TestLaunch launch;
  launch.threads = 128;
  simt::RunReport report;
  double seconds =
      seconds_of(test_kernel(128, "float v[1] = {1};\nfor (int i = 0; i < 20000; ++i) quad_sum(v);"),
                 launch.pack(), report);
  std::cout << "rendezvous: " << seconds / static_cast<double>(report.rendezvous) * 1e9 << " ns\n";
  seconds =
      seconds_of(test_kernel(128, "for (int i = 0; i < 20000; ++i) block_barrier();"), launch.pack(), report);
  std::cout << "block barrier of 128 threads: " << seconds / static_cast<double>(report.barriers) * 1e9
            << " ns\n";
  launch.grid = 2000;
  seconds = seconds_of(test_kernel(128, ""), launch.pack(), report);
  std::cout << "empty block of 128 threads: " << seconds / 2000 * 1e6 << " us\n";
}

TEST_CASE("products per second", "[.][simt][speed]") {
  for (const int m : {1, 2}) {
    for (const int n : {8, 16}) {
      TestLaunch launch;
      launch.threads = 128;
      simt::RunReport report;
      const std::string sizes = std::to_string(m) + ", " + std::to_string(n);
      const std::string body = "float c[" + std::to_string(m) + "][" + std::to_string(n) +
                               "][4] = {};\nu32 a[" + std::to_string(m) + "][4] = {};\nu32 b[" +
                               std::to_string(n / 2) + "][4] = {};\n" +
                               "for (int i = 0; i < 4000; ++i) multiply_tiles<bf16, " + sizes + ">(c, a, b);";
      const double seconds = seconds_of(test_kernel(128, body), launch.pack(), report);
      const double products = 16.0 * m * 8 * n * 16 * 4000 * 4;
      std::cout << "multiply_tiles<bf16, " << sizes << ">: " << products / seconds * 1e-9 << " GMAC/s, "
                << seconds / static_cast<double>(report.rendezvous) * 1e9 << " ns each\n";
    }
  }
}

TEST_CASE("warpgroup products per second", "[.][simt][speed]") {
  for (const int columns : {64, 128, 256}) {
    TestLaunch launch;
    launch.threads = 128;
    launch.shared_bytes = 48 * 1024;
    simt::RunReport report;
    const std::string body =
        "float c[" + std::to_string(columns / 8) +
        "][4] = {};\nconst u64 a = matrix_descriptor(0, 0), b = matrix_descriptor(8192, 0);\n"
        "for (int i = 0; i < 1000; ++i) {\nwarpgroup_arrive();\n"
        "for (int k = 0; k < 4; ++k)\n"
        "  multiply_warpgroup<bf16, false>(c, advance(a, 32 * k), advance(b, 32 * k), true);\n"
        "warpgroup_commit();\nwarpgroup_wait<0>();\n}";
    const double seconds = seconds_of(test_kernel(128, body), launch.pack(), report);
    std::cout << "multiply_warpgroup of " << columns
              << " columns: " << 64.0 * columns * 64 * 1000 / seconds * 1e-9 << " GMAC/s\n";
  }
}

TEST_CASE("shared memory accesses per second", "[.][simt][speed]") {
  TestLaunch launch;
  launch.threads = 128;
  launch.shared_bytes = 65536;
  simt::RunReport report;
  double seconds =
      seconds_of(test_kernel(128,
                             "u32 f[4][4];\nfor (int i = 0; i < 4000; ++i) {\n"
                             "const auto rows = dynamic_shared<bf16>(16384 * (i % 2)) + 8 * lane_index();\n"
                             "load_matrices<4, false>(f, [&](int k) { return rows + 256 * k; });\n}"),
                 launch.pack(), report);
  std::cout << "load_matrices<4>: " << seconds / static_cast<double>(report.rendezvous) * 1e9 << " ns each\n";
  seconds = seconds_of(
      test_kernel(
          128,
          "const Shared<float> t = dynamic_shared<float>(0);\n"
          "for (int i = 0; i < 10000; ++i) t.store16(4 * thread_index(), t.load16(4 * thread_index()));"),
      launch.pack(), report);
  std::cout << "load16 + store16: " << seconds / (128 * 10000) * 1e9 << " ns\n";
}

TEST_CASE("more barriers than a stamp can count, over many blocks", "[.][simt][slow]") {
  TestLaunch launch;
  launch.grid = 12;
  launch.shared_bytes = 128;
  simt::RunReport report;
  const std::string body =
      "const Shared<float> tile = dynamic_shared<float>(0);\n"
      "for (int i = 0; i < 400000; ++i) {\n  tile.store(lane_index(), 1.0f);\n  warp_barrier();\n"
      "  tile.load((lane_index() + 1) % 32);\n  warp_barrier();\n}";
  seconds_of(test_kernel(32, body), launch.pack(), report);
  CHECK(report.rendezvous == int64_t{12} * 800000);
  CHECK(report.highest_shared_byte == 127);
}

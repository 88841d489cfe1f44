// The emulator as a whole: limits, reports, replay, recovery after a fault, refusal of what would take too
// long.
#include <cmath>

#include "base/error.h"
#include "simt/kernel_fixture.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::test;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string complaint_of(Backend& backend, const CompiledImage& image, const Launch& launch,
                         uint32_t loaded_shared = 64 * 1024) {
  try {
    backend.launch(*backend.load(image, loaded_shared), launch, nullptr);
  } catch (const Error& error) {
    CHECK(error.status() == ATTUNE_ERROR_LAUNCH_FAILED);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("blocks run on several OS threads, and the result is the same", "[simt]") {
  const CompiledImage image = compile(row_softmax_source());
  std::vector<float> first;
  for (const char* options : {"threads=1", "threads=2", "threads=5,seed=9"}) {
    RowSoftmaxLaunch work(41, 130);
    const auto backend = make_simt_backend("", options, {});
    const auto module = backend->load(image, 64);
    backend->launch(*module, work.launch, nullptr);
    CHECK(work.worst_error() < 1e-6);
    if (first.empty()) first = work.output;
    CHECK(work.output == first);
    CHECK(backend->last_run_report().blocks == 21);
  }
}

TEST_CASE("a launch reports what it did", "[simt]") {
  RowSoftmaxLaunch work(9, 300);
  const auto backend = make_simt_backend("", "", {});
  CHECK(complaint_of(*backend, compile(row_softmax_source()), work.launch) == "");
  const simt::RunReport report = backend->last_run_report();
  CHECK(report.blocks == 5);
  CHECK(report.barriers == 18);             // two for each row
  CHECK(report.rendezvous == 4 * 18);       // of each of four warps
  CHECK(report.highest_shared_byte == 63);  // all that the layout asks for
  CHECK(report.seconds > 0);
}

TEST_CASE("a launch without blocks does nothing", "[simt]") {
  RowSoftmaxLaunch work(9, 300);
  work.launch.grid = 0;
  const auto backend = make_simt_backend("", "", {});
  CHECK(complaint_of(*backend, compile(row_softmax_source()), work.launch) == "");
  CHECK(backend->last_run_report().blocks == 0);
}

TEST_CASE("a fault replays exactly under its seed", "[simt]") {
  TestLaunch launch;
  launch.threads = 64;
  launch.shared_bytes = 256;
  const CompiledImage image =
      compile(test_kernel(64,
                          "dynamic_shared<float>(0).store(thread_index(), 1.0f);\n"
                          "dynamic_shared<float>(0).load((thread_index() * 5 + 3) % 64);"));
  bool differs = false;
  const std::string first = report_of(image, launch.pack(), 1);
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const std::string report = report_of(image, launch.pack(), seed);
    CHECK(report != "");
    CHECK(report == report_of(image, launch.pack(), seed));
    differs = differs || report != first;
  }
  CHECK(differs);  // seeds make different schedules
}

TEST_CASE("the emulator can be used again after a fault", "[simt]") {
  RowSoftmaxLaunch work(33, 300);
  const auto backend = make_simt_backend("", "threads=3", {});
  const CompiledImage good = compile(row_softmax_source());
  const CompiledImage bad =
      compile(with_change(row_softmax_source(), "row_softmax.cuh", "output.store(column,",
                          "if (row == 20) block_barrier();\n    output.store(column + 100000,"));
  for (int round = 0; round < 20; ++round) {
    CHECK_THAT(complaint_of(*backend, bad, work.launch), ContainsSubstring("row_softmax: block "));
    CHECK(complaint_of(*backend, good, work.launch) == "");
    CHECK(work.worst_error() < 1e-6);
  }
}

TEST_CASE("limits of the device are checked with both numbers", "[simt]") {
  RowSoftmaxLaunch work(9, 300);
  const auto backend = make_simt_backend("sm_86", "", {});
  const CompiledImage image = compile(row_softmax_source());
  SECTION("shared memory of the device") {
    CHECK_THAT(complaint_of(*backend, image, work.launch, 200000),
               ContainsSubstring("200000") && ContainsSubstring("101376"));
  }
  SECTION("shared memory the module was loaded for") {
    CHECK_THAT(complaint_of(*backend, image, work.launch, 32),
               ContainsSubstring("64 bytes") && ContainsSubstring("32"));
  }
  SECTION("threads of a block") {
    work.launch.block = 2048;
    CHECK_THAT(complaint_of(*backend, image, work.launch),
               ContainsSubstring("2048") && ContainsSubstring("1024"));
  }
  SECTION("threads the kernel is bound to") {
    work.launch.block = 64;
    CHECK_THAT(complaint_of(*backend, image, work.launch),
               ContainsSubstring("64") && ContainsSubstring("128"));
  }
  SECTION("size of the parameters") {
    work.launch.parameter_bytes = 8;
    CHECK_THAT(complaint_of(*backend, image, work.launch), ContainsSubstring("8 bytes of parameters"));
  }
}

TEST_CASE("an image that is none is refused", "[simt]") {
  const auto backend = make_simt_backend("", "", {});
  CompiledImage image;
  image.entry = "row_softmax";
  image.bytes = "not a library";
  CHECK_THROWS_AS(backend->load(image, 0), Error);
  image = compile(row_softmax_source());
  image.entry = "another";
  CHECK_THROWS_WITH(backend->load(image, 0), ContainsSubstring("another"));
}

TEST_CASE("work that never ends is stopped, work that would take too long is refused early", "[simt]") {
  const auto backend = make_simt_backend("", "threads=1,limit=0.3", {});
  TestLaunch launch;
  SECTION("by barriers for ever") {
    launch.grid = 7;
    CHECK_THAT(complaint_of(*backend, compile(test_kernel(32, "for (;;) block_barrier();")), launch.pack()),
               ContainsSubstring("0 of 7 blocks were done") && ContainsSubstring("the limit is 0.3 s"));
  }
  SECTION("by an estimate from the first blocks") {
    launch.grid = 100000000;
    const std::string complaint = complaint_of(
        *backend, compile(test_kernel(32, "for (int i = 0; i < 100; ++i) warp_barrier();")), launch.pack());
    CHECK_THAT(complaint, ContainsSubstring("of 100000000 blocks") &&
                              ContainsSubstring("the whole launch would take about"));
    CHECK(backend->last_run_report().seconds < 0.2);
  }
}

TEST_CASE("fresh shared memory holds no usable value", "[simt]") {
  std::vector<float> out(2, 0.0f);
  TestLaunch launch;
  launch.grid = 2;
  launch.shared_bytes = 128;
  launch.params.output = out.data();
  launch.output_bytes = 8;
  // The second block must not see what the first one wrote.
  const CompiledImage image =
      compile(test_kernel(32,
                          "const Shared<float> tile = dynamic_shared<float>(0);\n"
                          "const float before = tile.load(lane_index());\ntile.store(lane_index(), 1.0f);\n"
                          "if (lane_index() == 0) "
                          "Global<float>(static_cast<float*>(params.output)).store(block_index(), before);"));
  CHECK(report_of(image, launch.pack(), 1) == "");
  CHECK(std::isnan(out[0]));
  CHECK(std::isnan(out[1]));
}

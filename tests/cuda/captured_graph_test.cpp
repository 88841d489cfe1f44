// CapturedGraph and BareLaunch: what attune-bench measures with computes what a launch does.
#include "cuda/captured_graph.h"

#include "cuda/bare_launch.h"
#include "cuda/driver_calls.h"

using namespace attune;
using namespace attune::test;

TEST_CASE("a captured graph runs the work again and again", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend(0);
  Twice twice(*backend, 3000);
  const CapturedGraph graph(twice.module(),
                            [&](Stream stream) { backend->launch(twice.module(), twice.launch(), stream); });
  CHECK(twice.wrong() > 0);  // capturing launches nothing
  for (int i = 0; i < 2; ++i) {
    twice.poison();
    graph.run();
    CHECK(twice.wrong() == 0);
  }
}

TEST_CASE("work that throws while it is captured leaves no capture behind", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend(0);
  Twice twice(*backend, 100);
  const auto broken = [](Stream) { fail(ATTUNE_ERROR_CAPACITY, "no room"); };
  CHECK(thrown_by([&] { const CapturedGraph graph(twice.module(), broken); }).status ==
        ATTUNE_ERROR_CAPACITY);
  const CapturedGraph graph(twice.module(),
                            [&](Stream stream) { backend->launch(twice.module(), twice.launch(), stream); });
  graph.run();
  CHECK(twice.wrong() == 0);
}

TEST_CASE("a bare launch computes what a launch does", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend(0);
  Twice twice(*backend, 3000);
  const Launch launch = twice.launch();
  BareLaunch bare(twice.module(), launch, backend->planning_stream());
  bare();
  backend->synchronize(backend->planning_stream());
  CHECK(twice.wrong() == 0);
}

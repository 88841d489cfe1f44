// CUDA graphs: a launch is captured, and planning beside a capture leaves it valid.
#include "cuda/driver_calls.h"

using namespace attune;
using namespace attune::test;

namespace {

constexpr unsigned kBlockingStream = 0;
constexpr unsigned kNonBlockingStream = 1;
constexpr int kModeGlobal = 0;  // CU_STREAM_CAPTURE_MODE_GLOBAL: the strictest

// Captures what `work` puts into the stream, then runs the graph twice.
template <typename Work, typename Between>
void capture_and_run(Stream stream, Work&& work, Between&& between) {
  CUgraph_st* graph = nullptr;
  CUgraphExec_st* executable = nullptr;
  must("cuStreamBeginCapture_v2", stream, kModeGlobal);
  work();
  must("cuStreamEndCapture", stream, &graph);
  must("cuGraphInstantiateWithFlags", &executable, graph, 0ull);
  for (int i = 0; i < 2; ++i) {
    between();
    must("cuGraphLaunch", executable, stream);
    must("cuStreamSynchronize", stream);
  }
  must("cuGraphExecDestroy", executable);
  must("cuGraphDestroy", graph);
}

// Makes the backend's primary context current for streams of the test.
class PrimaryCurrent {
 public:
  PrimaryCurrent() {
    must("cuDevicePrimaryCtxRetain", &handle_, 0);
    must("cuCtxPushCurrent_v2", handle_);
  }
  ~PrimaryCurrent() {
    CUctx_st* popped = nullptr;
    driver_call("cuCtxPopCurrent_v2", &popped);
    driver_call("cuDevicePrimaryCtxRelease_v2", 0);
  }

 private:
  CUctx_st* handle_ = nullptr;
};

}  // namespace

TEST_CASE("a launch is captured into a graph, with its parameters", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend(0);
  const PrimaryCurrent primary;
  const OwnStream stream(kNonBlockingStream);
  Twice twice(*backend, 3000);
  capture_and_run(
      stream.handle(), [&] { backend->launch(twice.module(), twice.launch(), stream.handle()); },
      [&] { twice.poison(); });
  CHECK(twice.wrong() == 0);
}

TEST_CASE("a fill is captured into a graph", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend(0);
  const PrimaryCurrent primary;
  const OwnStream stream(kNonBlockingStream);
  unsigned char byte = 0;
  void* pointer = backend->allocate(64);
  capture_and_run(
      stream.handle(), [&] { backend->fill(pointer, 7, 64, stream.handle()); },
      [&] { backend->copy(pointer, &byte, 1); });
  backend->copy(&byte, pointer, 1);
  CHECK(byte == 7);
  backend->free(pointer);
}

TEST_CASE("planning during a capture leaves the capture valid", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend(0);
  const PrimaryCurrent primary;
  Twice captured(*backend, 3000);
  backend->compiler();
  for (const unsigned flags : {kNonBlockingStream, kBlockingStream}) {
    INFO("stream flags " << flags);
    const OwnStream stream(flags);
    captured.poison();
    capture_and_run(
        stream.handle(),
        [&] {
          Twice planned(*backend, 500, 9);  // compiles, loads, allocates, copies; frees at the end
          CHECK(backend->time(planned.module(), planned.launch(), 3).size() == 3);
          if (backend->can_replay())
            CHECK(backend->time_by_replay(planned.module(), planned.launch(), 3).size() == 3);
          CHECK(planned.wrong() == 0);
          planned.poison();  // as validation does: launch, wait, copy back
          backend->launch(planned.module(), planned.launch(), backend->planning_stream());
          backend->synchronize(backend->planning_stream());
          CHECK(planned.wrong() == 0);
          CHECK(backend->free_bytes() > 0);
          backend->launch(captured.module(), captured.launch(), stream.handle());
        },
        [] {});
    CHECK(captured.wrong() == 0);
  }
}

TEST_CASE("a stream of another context is refused during its capture, which stays valid", "[gpu]") {
  ATTUNE_NEED_GPU();
  const auto backend = make_backend(0);
  Twice twice(*backend, 100);
  const OwnContext own;
  const OwnStream stream(kNonBlockingStream);
  capture_and_run(
      stream.handle(),
      [&] {
        CHECK(thrown_by([&] { backend->launch(twice.module(), twice.launch(), stream.handle()); }).status ==
              ATTUNE_ERROR_INVALID_ARGUMENT);
      },
      [] {});
}

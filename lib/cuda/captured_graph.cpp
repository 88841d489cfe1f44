#include "cuda/captured_graph.h"

#include <cuda.h>

#include "cuda/cuda_module.h"
#include "cuda/cuda_scope.h"
#include "cuda/driver_api.inl"

namespace attune {
namespace {

bool has_graphs(const DriverApi& api) {
  return api.stream_begin_capture && api.stream_end_capture && api.graph_instantiate && api.graph_launch &&
         api.graph_exec_destroy && api.graph_destroy;
}

}  // namespace

bool CapturedGraph::takes_early_launches(const Driver& driver) {
  constexpr int kProgrammaticEdges = 12030;
  return has_graphs(driver.api()) && driver.cuda_version() >= kProgrammaticEdges;
}

CapturedGraph::CapturedGraph(const Module& module, const std::function<void(Stream)>& work)
    : CapturedGraph(static_cast<const CudaModule&>(module).context(), Mode::strict, work) {}

CapturedGraph::CapturedGraph(const CudaContext& context, Mode mode, const std::function<void(Stream)>& work)
    : context_(context) {
  const Driver& driver = context_.driver();
  if (!has_graphs(driver.api())) {
    fail(ATTUNE_ERROR_UNSUPPORTED, "driver {} has not all functions of CUDA graphs", driver.release());
  }
  const CurrentContext current(context_);
  try {
    driver.check(driver.api().stream_create(&stream_, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
    capture(mode, work);
    driver.check(driver.api().graph_instantiate(&executable_, graph_, 0), "cuGraphInstantiate",
                 ATTUNE_ERROR_LAUNCH_FAILED);
  } catch (...) {
    destroy();
    throw;
  }
}

CapturedGraph::~CapturedGraph() {
  destroy();
}

void CapturedGraph::capture(Mode mode, const std::function<void(Stream)>& work) {
  const Driver& driver = context_.driver();
  const DriverApi& api = driver.api();
  const CUstreamCaptureMode capture_mode =
      mode == Mode::strict ? CU_STREAM_CAPTURE_MODE_GLOBAL : CU_STREAM_CAPTURE_MODE_RELAXED;
  driver.check(api.stream_begin_capture(stream_, capture_mode), "cuStreamBeginCapture",
               ATTUNE_ERROR_LAUNCH_FAILED);
  try {
    work(stream_);
  } catch (...) {
    api.stream_end_capture(stream_, &graph_);  // else the stream could not be destroyed
    throw;
  }
  driver.check(api.stream_end_capture(stream_, &graph_), "cuStreamEndCapture", ATTUNE_ERROR_LAUNCH_FAILED);
}

void CapturedGraph::launch(Stream stream) const {
  const Driver& driver = context_.driver();
  driver.check(driver.api().graph_launch(executable_, stream), "cuGraphLaunch", ATTUNE_ERROR_LAUNCH_FAILED);
}

void CapturedGraph::run() const {
  const CurrentContext current(context_);
  const Driver& driver = context_.driver();
  launch(stream_);
  driver.check(driver.api().stream_synchronize(stream_), "a captured kernel failed",
               ATTUNE_ERROR_LAUNCH_FAILED);
}

void CapturedGraph::destroy() noexcept {
  try {
    if (!context_.alive()) return;  // all of it went with the context
    const CurrentContext current(context_);
    const DriverApi& api = context_.api();
    if (executable_) api.graph_exec_destroy(executable_);
    if (graph_) api.graph_destroy(graph_);
    if (stream_) api.stream_destroy(stream_);
  } catch (const Error&) {
    // Nothing is left to be undone.
  }
}

}  // namespace attune

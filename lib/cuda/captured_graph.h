// CapturedGraph: what a piece of work puts into a stream, captured and instantiated, to be launched again and
// again. Uses what every driver since CUDA 12 has.
#pragma once

#include <functional>

#include "backend/backend.h"
#include "cuda/cuda_context.h"

struct CUgraph_st;
struct CUgraphExec_st;

namespace attune {

class CapturedGraph {
 public:
  // `strict`: whatever a launch may not do, such as allocating, makes the capture invalid, whichever thread
  // does it. `relaxed`: a capture beside which other threads, which are the user's, do as they like.
  enum class Mode { strict, relaxed };

  // Whether this driver captures all launches. Before CUDA 12.3 graphs have no programmatic edges, and a
  // launch that begins early cannot be captured.
  static bool takes_early_launches(const Driver& driver);

  // Captures what `work` puts into a stream of the graph's own; `work` may throw. The graph lives in the
  // context, and modules whose kernels it launches must outlive it. Throws Error (LAUNCH_FAILED when the work
  // cannot be captured, UNSUPPORTED when the driver has no graphs).
  CapturedGraph(const CudaContext& context, Mode mode, const std::function<void(Stream)>& work);
  // In the strictest mode, in the context of `module`, which is one of the cuda backend.
  CapturedGraph(const Module& module, const std::function<void(Stream)>& work);
  ~CapturedGraph();
  CapturedGraph(const CapturedGraph&) = delete;
  CapturedGraph& operator=(const CapturedGraph&) = delete;

  // Puts one launch of the graph into a stream; the context must be current. Throws Error (LAUNCH_FAILED).
  void launch(Stream stream) const;
  // Launches once and waits. Throws Error (LAUNCH_FAILED).
  void run() const;

 private:
  void capture(Mode mode, const std::function<void(Stream)>& work);
  void destroy() noexcept;

  const CudaContext& context_;
  Stream stream_ = nullptr;
  CUgraph_st* graph_ = nullptr;
  CUgraphExec_st* executable_ = nullptr;
};

}  // namespace attune

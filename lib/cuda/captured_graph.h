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
  // `module` is one of the cuda backend; the graph lives in its context, and the module must outlive it.
  // Captures in the strictest mode what `work` puts into a stream of its own; `work` may throw. Throws Error
  // (LAUNCH_FAILED when the work cannot be captured, UNSUPPORTED when the driver has no graphs).
  CapturedGraph(const Module& module, const std::function<void(Stream)>& work);
  ~CapturedGraph();
  CapturedGraph(const CapturedGraph&) = delete;
  CapturedGraph& operator=(const CapturedGraph&) = delete;

  // Launches once and waits. Throws Error (LAUNCH_FAILED).
  void run() const;

 private:
  void capture(const std::function<void(Stream)>& work);
  void destroy() noexcept;

  const CudaContext& context_;
  Stream stream_ = nullptr;
  CUgraph_st* graph_ = nullptr;
  CUgraphExec_st* executable_ = nullptr;
};

}  // namespace attune

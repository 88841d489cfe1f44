// CudaTimer: seconds of single launches on an otherwise idle stream, by events, each with a cold L2.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "backend/backend.h"
#include "cuda/cuda_context.h"
#include "cuda/cuda_stream.h"

struct CUevent_st;

namespace attune {

class CudaTimer {
 public:
  // Takes nothing of the device before the first timing. `l2_bytes` 0: no flush.
  CudaTimer(std::shared_ptr<const CudaContext> context, int64_t l2_bytes);
  ~CudaTimer();
  CudaTimer(const CudaTimer&) = delete;
  CudaTimer& operator=(const CudaTimer&) = delete;

  // Times what `launch` puts into the stream, one call each. The context must be current. Timings of several
  // threads are taken one after the other. Throws Error (OUT_OF_MEMORY, LAUNCH_FAILED).
  std::vector<double> time(int repetitions, const std::function<void(Stream)>& launch);

 private:
  struct Interval {
    CUevent_st* start = nullptr;
    CUevent_st* stop = nullptr;
  };

  void prepare();
  void queue_one(const Interval& interval, const std::function<void(Stream)>& launch);

  std::shared_ptr<const CudaContext> context_;
  size_t flush_bytes_;
  std::mutex mutex_;
  std::unique_ptr<CudaStream> stream_;
  unsigned long long flush_buffer_ = 0;  // device address
  std::vector<Interval> intervals_;
};

}  // namespace attune

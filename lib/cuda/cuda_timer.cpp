#include "cuda/cuda_timer.h"

#include <cuda.h>

#include <algorithm>

#include "cuda/captured_graph.h"
#include "cuda/cuda_scope.h"
#include "cuda/driver_api.inl"

namespace attune {
namespace {

// Launches queued before waiting: few enough to fit the driver's queue, enough that the host stays ahead of
// the GPU.
constexpr size_t kQueued = 32;

}  // namespace

CudaTimer::CudaTimer(std::shared_ptr<const CudaContext> context, int64_t l2_bytes)
    : context_(std::move(context)), flush_bytes_(2 * static_cast<size_t>(std::max<int64_t>(l2_bytes, 0))) {}

CudaTimer::~CudaTimer() {
  try {
    if (!context_->alive()) return;
    PlanningScope scope(*context_);
    const DriverApi& api = context_->api();
    for (const Interval& interval : intervals_) {
      if (interval.start) api.event_destroy(interval.start);
      if (interval.stop) api.event_destroy(interval.stop);
    }
    if (flush_buffer_) api.mem_free(flush_buffer_);
  } catch (const Error&) {
    // The context is gone, and all of it with it.
  }
}

void CudaTimer::prepare() {
  const Driver& driver = context_->driver();
  const DriverApi& api = driver.api();
  if (!stream_) stream_ = std::make_unique<CudaStream>(context_);
  if (flush_bytes_ > 0 && flush_buffer_ == 0) {
    CUdeviceptr buffer = 0;
    const CUresult result = api.mem_alloc(&buffer, flush_bytes_);
    if (result != CUDA_SUCCESS) {
      driver.raise(result, fmt::format("{} bytes to flush the L2 cache with, for timing", flush_bytes_));
    }
    flush_buffer_ = buffer;
  }
  while (intervals_.size() < kQueued) {
    Interval& interval = intervals_.emplace_back();
    driver.check(api.event_create(&interval.start, CU_EVENT_DEFAULT), "cuEventCreate");
    driver.check(api.event_create(&interval.stop, CU_EVENT_DEFAULT), "cuEventCreate");
  }
}

void CudaTimer::flush_l2() {
  if (!flush_buffer_) return;
  context_->driver().check(context_->api().memset_d8_async(flush_buffer_, 0, flush_bytes_, stream_->handle()),
                           "cuMemsetD8Async of the L2 flush");
}

std::vector<double> CudaTimer::measure(int repetitions, const Work& first, const Work& before,
                                       const Work& timed) {
  const Driver& driver = context_->driver();
  const DriverApi& api = driver.api();
  const CUstream stream = stream_->handle();
  std::vector<double> seconds;
  size_t left = static_cast<size_t>(std::max(repetitions, 0));
  while (left > 0) {
    const size_t count = std::min(left, kQueued);
    first(stream);
    for (size_t i = 0; i < count; ++i) {
      before(stream);
      driver.check(api.event_record(intervals_[i].start, stream), "cuEventRecord");
      timed(stream);
      driver.check(api.event_record(intervals_[i].stop, stream), "cuEventRecord");
    }
    driver.check(api.stream_synchronize(stream), "a timed kernel failed", ATTUNE_ERROR_LAUNCH_FAILED);
    for (size_t i = 0; i < count; ++i) {
      float milliseconds = 0;
      driver.check(api.event_elapsed_time(&milliseconds, intervals_[i].start, intervals_[i].stop),
                   "cuEventElapsedTime");
      seconds.push_back(1e-3 * static_cast<double>(milliseconds));
    }
    left -= count;
  }
  return seconds;
}

// The flush runs for tens of microseconds, in which the host has queued all the rest: no launch latency is
// timed.
std::vector<double> CudaTimer::time(int repetitions, const std::function<void(Stream)>& launch) {
  const std::lock_guard lock(mutex_);
  prepare();
  return measure(
      repetitions, [](Stream) {}, [&](Stream) { flush_l2(); }, launch);
}

// NOTE: the graph is not kept for the next call. Capturing it takes some tens of microseconds, about what one
// replay does, and whoever kept it would have to know when its module goes.
std::vector<double> CudaTimer::replay(int repetitions, const std::function<void(Stream)>& launch) {
  const std::lock_guard lock(mutex_);
  prepare();
  const CapturedGraph graph(*context_, CapturedGraph::Mode::relaxed, [&](Stream stream) {
    for (int i = 0; i < kReplayedLaunches; ++i)
      launch(stream);
  });
  const Work replay_once = [&](Stream stream) { graph.launch(stream); };
  // A replay that is not counted uploads the graph and warms the L2, and while it runs the host queues the
  // others: no launch latency is timed here either.
  std::vector<double> seconds = measure(
      repetitions, replay_once, [](Stream) {}, replay_once);
  for (double& second : seconds)
    second /= kReplayedLaunches;
  return seconds;
}

}  // namespace attune

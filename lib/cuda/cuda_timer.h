// CudaTimer: seconds of launches on an otherwise idle stream, by events: of single ones, each with a cold L2,
// or of one among its like, by replay of a captured graph.
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
  // Times `repetitions` replays of one graph of kReplayedLaunches of them, back to back; seconds per launch.
  // Throws Error (also UNSUPPORTED, where CapturedGraph does).
  std::vector<double> replay(int repetitions, const std::function<void(Stream)>& launch);

  // What a pair of events adds to a replay, 4 to 6 us on an H200, is a quarter of a microsecond for each
  // launch, and the same for all who are compared; a replay of launches at the limit of what is replayed
  // takes a millisecond, so that a race of dozens of candidates ends within a plan's bound.
  static constexpr int kReplayedLaunches = 20;

 private:
  struct Interval {
    CUevent_st* start = nullptr;
    CUevent_st* stop = nullptr;
  };

  using Work = std::function<void(Stream)>;

  void prepare();
  void flush_l2();
  // Seconds of `repetitions` times `timed`, each behind its own `before`, all behind `first` once per batch.
  std::vector<double> measure(int repetitions, const Work& first, const Work& before, const Work& timed);

  std::shared_ptr<const CudaContext> context_;
  size_t flush_bytes_;
  std::mutex mutex_;
  std::unique_ptr<CudaStream> stream_;
  unsigned long long flush_buffer_ = 0;  // device address
  std::vector<Interval> intervals_;
};

}  // namespace attune

#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace attune {
namespace {

// Pieces per thread: enough that a late thread has little left to wait for, few enough that handing out costs
// nothing.
constexpr int64_t kPiecesPerThread = 16;
// A thread takes some 50 microseconds to start and join.
constexpr int64_t kWorkWorthAThread = 100'000;

class WorkQueue {
 public:
  WorkQueue(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& body)
      : count_(count), grain_(grain), body_(body) {}

  void work() noexcept {
    try {
      while (!failed_.load(std::memory_order_relaxed)) {
        const int64_t begin = next_.fetch_add(grain_);
        if (begin >= count_) return;
        body_(begin, std::min(begin + grain_, count_));
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      failed_.store(true, std::memory_order_relaxed);
    }
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  const int64_t count_;
  const int64_t grain_;
  const std::function<void(int64_t, int64_t)>& body_;
  std::atomic<int64_t> next_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::exception_ptr error_;
};

}  // namespace

void parallel_for(int64_t count, const std::function<void(int64_t begin, int64_t end)>& body, int64_t work) {
  if (count <= 0) return;
  const int64_t cores = std::max<int64_t>(1, std::thread::hardware_concurrency());
  const int64_t threads = std::min({cores, count, std::max<int64_t>(1, work / kWorkWorthAThread)});
  if (threads == 1) return body(0, count);

  WorkQueue queue(count, std::max<int64_t>(1, count / (threads * kPiecesPerThread)), body);
  {
    std::vector<std::jthread> helpers;
    helpers.reserve(static_cast<size_t>(threads - 1));
    try {
      for (int64_t i = 1; i < threads; ++i)
        helpers.emplace_back([&queue] { queue.work(); });
    } catch (const std::system_error&) {
      // The process may have no more threads; those that run, and this one, do all the work.
    }
    queue.work();
  }  // joins
  queue.rethrow();
}

}  // namespace attune

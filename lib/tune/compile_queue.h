// CompileQueue: candidates compiled by several threads, handed over as they become ready.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "cache/compiled_images.h"
#include "kernels/family.h"
#include "specialize/kernel_source.h"

namespace attune {

struct Compiled {
  size_t index;  // into the candidates
  std::string source_hash;
  ImageResult image;
};

class CompileQueue {
 public:
  // Starts compiling in the order given. But for the first, no candidate is begun that would end after the
  // deadline if it took as long as the longest so far: what is under way cannot be cancelled.
  CompileQueue(Compiler& compiler, CompiledImages& images, const TemplateStore& templates,
               const Problem& problem, std::span<const Candidate* const> candidates,
               std::chrono::steady_clock::time_point deadline);
  ~CompileQueue();

  // The next one to become ready, whichever; nothing when all that were begun have been handed over. Throws
  // what the compiler throws (NO_COMPILER).
  std::optional<Compiled> next();

 private:
  void work();

  Compiler& compiler_;
  CompiledImages& images_;
  const TemplateStore& templates_;
  const Problem& problem_;
  const std::span<const Candidate* const> candidates_;
  const std::chrono::steady_clock::time_point deadline_;
  std::atomic<size_t> next_index_ = 0;
  std::atomic<std::chrono::steady_clock::duration> longest_{};  // that one candidate has taken so far
  std::mutex mutex_;                                            // guards what follows
  std::condition_variable ready_;
  std::deque<Compiled> finished_;
  std::exception_ptr error_;
  size_t working_ = 0;
  std::vector<std::jthread> threads_;
};

}  // namespace attune

#include "tune/compile_queue.h"

#include <algorithm>

namespace attune {
namespace {

// NVRTC and the host compiler both scale with cores; beyond this the images come faster than they can be
// validated.
constexpr size_t kMaxThreads = 16;

}  // namespace

CompileQueue::CompileQueue(Compiler& compiler, CompiledImages& images, const TemplateStore& templates,
                           const Problem& problem, std::span<const Candidate* const> candidates,
                           std::chrono::steady_clock::time_point deadline)
    : compiler_(compiler),
      images_(images),
      templates_(templates),
      problem_(problem),
      candidates_(candidates),
      deadline_(deadline) {
  const size_t cores = std::max(1u, std::thread::hardware_concurrency());
  working_ = std::min({cores, kMaxThreads, candidates.size()});
  for (size_t i = 0, count = working_; i < count; ++i)
    threads_.emplace_back([this] { work(); });
}

CompileQueue::~CompileQueue() {
  next_index_ = candidates_.size();  // nothing new is begun; what is under way is waited for
}

std::optional<Compiled> CompileQueue::next() {
  std::unique_lock lock(mutex_);
  ready_.wait(lock, [this] { return !finished_.empty() || error_ || working_ == 0; });
  if (error_) std::rethrow_exception(error_);
  if (finished_.empty()) return std::nullopt;
  Compiled compiled = std::move(finished_.front());
  finished_.pop_front();
  return compiled;
}

void CompileQueue::work() {
  for (size_t index = next_index_++; index < candidates_.size(); index = next_index_++) {
    const auto begun = std::chrono::steady_clock::now();
    if (index > 0 && begun + longest_.load() >= deadline_) break;
    try {
      const Candidate& candidate = *candidates_[index];
      const KernelSource source = specialize(templates_, *candidate.family, problem_, candidate.config);
      Compiled compiled{index, source.hash, images_.get_or_build(compiler_, source)};
      const std::lock_guard lock(mutex_);
      longest_ = std::max(longest_.load(), std::chrono::steady_clock::now() - begun);
      finished_.push_back(std::move(compiled));
    } catch (...) {
      const std::lock_guard lock(mutex_);
      error_ = std::current_exception();
      next_index_ = candidates_.size();
    }
    ready_.notify_one();
  }
  const std::lock_guard lock(mutex_);
  --working_;
  ready_.notify_one();
}

}  // namespace attune

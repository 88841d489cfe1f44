#include "tune/worker_compiler.h"

#include <utility>

#include "base/error.h"

namespace attune {
namespace {

// Where the compiler is a program, the worker stops it itself, and its children with it; that comes first.
constexpr double kGraceSeconds = 2;

}  // namespace

WorkerCompiler::WorkerCompiler(Backend& backend, std::shared_ptr<Workers> workers)
    : backend_(backend), workers_(std::move(workers)) {}

CompileResult WorkerCompiler::compile(const KernelSource& source) {
  const double limit = workers_->options().compile_seconds;
  for (bool again = true;; again = false) {
    std::unique_ptr<WorkerProcess> worker = take();
    if (!worker) return backend_.compiler().compile(source);
    const Answer answer = Workers::ask(worker, to_json(source), limit + kGraceSeconds);
    if (answer.message) {
      give_back(std::move(worker));
      if (is_error(*answer.message)) throw error_of(*answer.message);
      return compile_result_from_json(*answer.message);
    }
    if (answer.late) {
      return {.image = std::nullopt,
              .log = fmt::format("the compiler took longer than {} s and was stopped", limit),
              .end = CompileEnd::timed_out};
    }
    if (answer.end.by_outsider && again) continue;
    return {.image = std::nullopt,
            .log = fmt::format("the compiler's process ended: {}", answer.end.how),
            .end = CompileEnd::crashed};
  }
}

std::unique_ptr<WorkerProcess> WorkerCompiler::take() {
  std::unique_ptr<WorkerProcess> worker;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      worker = std::move(idle_.back());
      idle_.pop_back();
      return worker;
    }
  }
  workers_->make_ready(worker, WorkerRole::compile);
  return worker;
}

void WorkerCompiler::give_back(std::unique_ptr<WorkerProcess> worker) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(worker));
}

}  // namespace attune

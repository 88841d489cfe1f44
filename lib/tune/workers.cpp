#include "tune/workers.h"

#include <utility>

#include "base/error.h"
#include "problem/bucket.h"

namespace attune {
namespace {

using Clock = std::chrono::steady_clock;

// One that is killed while it starts is not the program's fault.
constexpr int kStarts = 12;

Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

Workers::Workers(WorkerOptions options, Backend& backend, const Log& log)
    : options_(std::move(options)), backend_(backend), log_(log) {}

std::unique_ptr<WorkerProcess> Workers::start(WorkerRole role) {
  if (degraded_) return nullptr;
  std::string reason;
  std::unique_ptr<WorkerProcess> worker = WorkerProcess::start(options_.program, reason);
  if (!worker) {
    degrade(reason);
    return nullptr;
  }
  // Whether it arrives is seen when the answer does not.
  worker->send(to_json(WorkerHello{.role = role,
                                   .device = backend_.word(),
                                   .arch = backend_.device().arch,
                                   .nvrtc_path = options_.nvrtc_path,
                                   .simt_options = options_.simt_options,
                                   .compile_seconds = options_.compile_seconds}));
  return worker;
}

void Workers::make_ready(std::unique_ptr<WorkerProcess>& worker, WorkerRole role) {
  std::string reason;
  for (int tries = 0; tries < kStarts; ++tries) {
    if (!worker) worker = start(role);
    if (!worker) return;
    const Answer answer = next(worker, options_.ready_seconds);
    if (answer.message) {
      reason = refuse_reason(*answer.message, worker_identity(role, backend_));
      if (reason.empty()) {
        had_one_ = true;
        return;
      }
      break;
    }
    reason =
        answer.late ? fmt::format("it was not ready after {} s", options_.ready_seconds) : answer.end.how;
    if (answer.late || !answer.end.by_outsider) break;
  }
  worker.reset();
  degrade(fmt::format("{}: {}", options_.program.string(), reason));
}

Answer Workers::next(std::unique_ptr<WorkerProcess>& worker, double seconds) {
  Received received = worker->receive(after(seconds));
  if (received.arrival == Arrival::message) return {.message = std::move(received.message)};
  Answer answer{.late = received.arrival == Arrival::late};
  if (!answer.late) answer.end = worker->end();
  worker.reset();
  return answer;
}

Answer Workers::ask(std::unique_ptr<WorkerProcess>& worker, const nlohmann::json& request, double seconds) {
  // A worker that cannot be written to has ended, and reading says how.
  worker->send(request);
  return next(worker, seconds);
}

void Workers::degrade(const std::string& reason) {
  if (had_one_) {
    fail(ATTUNE_ERROR_INTERNAL, "no further worker process can be had, and trials end here: {}", reason);
  }
  const std::lock_guard lock(mutex_);
  if (degraded_) return;
  reason_ = reason;
  degraded_ = true;
  log_.warning("candidates are tried in this process, where a broken one can harm it: no worker process: {}",
               reason);
}

std::string Workers::degraded_reason() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

std::string worker_identity(WorkerRole role, Backend& backend) {
  if (role == WorkerRole::compile) return backend.compiler().identity();
  return fmt::format("{} {}", device_key(backend.name(), backend.device()), backend.driver_version());
}

}  // namespace attune

// Workers: starts worker processes, and says once why there are none.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "backend/backend.h"
#include "base/log.h"
#include "tune/worker_process.h"
#include "tune/worker_protocol.h"

namespace attune {

struct WorkerOptions {
  std::filesystem::path program;  // attune-tune
  std::string nvrtc_path;         // as the context's options
  std::string simt_options;       // likewise
  double compile_seconds = 300;   // what takes longer is stopped
  double trial_seconds = 120;     // likewise: a validation, or a few launches that are timed
  // Opening a GPU takes a second, and more on a machine that is busy.
  double ready_seconds = 60;
};

// What became of a request: an answer, or the worker's end.
struct Answer {
  std::optional<nlohmann::json> message;
  bool late = false;  // it was stopped
  WorkerEnd end;      // without a message
};

// Thread-safe.
class Workers {
 public:
  // `backend` is this process's, which the workers must equal. It outlives this object.
  Workers(WorkerOptions options, Backend& backend, const Log& log);

  // Starts a worker, which begins to look for its compiler or device, and does not wait for that. nullptr
  // when this process has to do the work itself, which has been logged.
  std::unique_ptr<WorkerProcess> start(WorkerRole role);

  // Waits until it is ready. Where none can be had, `worker` is nullptr afterwards and this process has to do
  // the work itself, which has been logged: the program is missing, is of another version, or works with
  // another compiler or device. Once a worker has been had, that is no way out any more, since the candidates
  // are not known to be harmless: then it throws Error (INTERNAL).
  void make_ready(std::unique_ptr<WorkerProcess>& worker, WorkerRole role);

  // The next message, which must come within that time. A worker that ends instead is taken away.
  static Answer next(std::unique_ptr<WorkerProcess>& worker, double seconds);
  static Answer ask(std::unique_ptr<WorkerProcess>& worker, const nlohmann::json& request, double seconds);

  // Why this process does the work itself; empty while it need not.
  std::string degraded_reason() const;

  const WorkerOptions& options() const { return options_; }

 private:
  void degrade(const std::string& reason);

  const WorkerOptions options_;
  Backend& backend_;
  const Log log_;
  std::atomic<bool> degraded_ = false;
  std::atomic<bool> had_one_ = false;
  mutable std::mutex mutex_;  // of the reason and its warning
  std::string reason_;
};

// What both sides must agree on: the compiler, or the device with its driver.
std::string worker_identity(WorkerRole role, Backend& backend);

}  // namespace attune

// WorkerProcess: a program started as a worker, with a socket to talk to it, and its end.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "tune/message_channel.h"

namespace attune {

// How a worker ended.
struct WorkerEnd {
  std::string how;           // "it was killed by signal 11 (Segmentation fault)"
  bool by_outsider = false;  // killed by somebody, not by what it was doing
};

class WorkerProcess {
 public:
  // Starts `program --worker` in a process group of its own, with the socket as its standard input and none
  // of this process's files. nullptr when it cannot be started, and `reason` says why.
  static std::unique_ptr<WorkerProcess> start(const std::filesystem::path& program, std::string& reason);

  // Stops it, whatever it is doing.
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  bool send(const nlohmann::json& message) { return send_message(socket_, message); }
  Received receive(std::chrono::steady_clock::time_point deadline) {
    return receive_message(socket_, deadline);
  }

  // Waits a moment for a worker whose socket is closed to be gone, then stops it.
  WorkerEnd end();

  pid_t id() const { return process_; }

 private:
  WorkerProcess(pid_t process, int socket) : process_(process), socket_(socket) {}

  pid_t process_;  // -1 once it was waited for
  int socket_;
};

}  // namespace attune

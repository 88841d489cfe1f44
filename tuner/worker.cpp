#include "tuner/worker.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "capi/device_choice.h"
#include "cli/program.h"
#include "cuda/cuda_backend.h"
#include "simt/host_compiler.h"
#include "simt/options.h"
#include "tune/message_channel.h"
#include "tune/trial_runner.h"
#include "tune/worker_protocol.h"
#include "tune/workers.h"

namespace attune {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

// Answers the requests of one role.
class Service {
 public:
  virtual ~Service() = default;
  virtual std::string identity() = 0;
  virtual json answer(const json& request) = 0;
};

class CompileService final : public Service {
 public:
  explicit CompileService(const WorkerHello& hello)
      : compiler_(parse_device(hello.device).kind == DeviceKind::cuda
                      ? make_cuda_compiler(hello.arch, hello.nvrtc_path)
                      : std::make_unique<HostCompiler>(simt::parse_options(hello.simt_options).cxx, Log(),
                                                       hello.compile_seconds)) {}

  std::string identity() override { return compiler_->identity(); }
  json answer(const json& request) override { return to_json(compiler_->compile(source_from_json(request))); }

 private:
  const std::unique_ptr<Compiler> compiler_;
};

class TrialService final : public Service {
 public:
  TrialService(const WorkerHello& hello, int socket)
      : socket_(socket),
        backend_(make_backend(parse_device(hello.device), hello.nvrtc_path, hello.simt_options, Log())) {}

  std::string identity() override { return worker_identity(WorkerRole::trial, *backend_); }

  json answer(const json& request) override {
    serve(problem_of_json(request.at("problem")));
    return request.contains("validate") ? validate(request) : time(request);
  }

 private:
  void serve(const Problem& problem) {
    if (runner_ && problem == problem_) return;
    problem_ = problem;
    runner_ = make_local_trial_runner(*backend_, problem, [this](size_t trial) {
      send_message(socket_, {{"next", trial}});
    });
  }

  json validate(const json& request) {
    Trial trial{.candidate = candidate_from_json(request.at("validate"), problem_)};
    const CompiledImage image = image_from_json(request.at("image"));
    trial.registers = image.registers;
    runner_->validate(trial, image);
    return verdict_json(trial);
  }

  json time(const json& request) {
    std::vector<Trial> trials;
    for (const json& candidate : request.at("time"))
      trials.push_back({.candidate = candidate_from_json(candidate, problem_)});
    std::vector<Trial*> racing;
    for (Trial& trial : trials)
      racing.push_back(&trial);
    TrialRunner::Deadline deadline = TrialRunner::Deadline::max();
    if (request.contains("seconds")) {
      const std::chrono::duration<double> seconds(request["seconds"].get<double>());
      deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(seconds);
    }
    runner_->time(racing, deadline);
    std::vector<Measurement> measurements;
    for (const Trial& trial : trials)
      measurements.push_back(trial.measurement);
    return {{"measurements", to_json(measurements)}};
  }

  const int socket_;
  const std::unique_ptr<Backend> backend_;
  Problem problem_;
  std::unique_ptr<TrialRunner> runner_;
};

std::unique_ptr<Service> open_service(const json& message, int socket) {
  const WorkerHello hello = hello_from_json(message);
  if (hello.role == WorkerRole::compile) return std::make_unique<CompileService>(hello);
  return std::make_unique<TrialService>(hello, socket);
}

// What `body` returns, or what it throws, as a message.
template <typename Body>
json guarded(const Body& body) {
  try {
    return body();
  } catch (const Error& error) {
    return error_json(error);
  } catch (const std::exception& error) {
    return error_json(Error(ATTUNE_ERROR_INTERNAL, error.what()));
  }
}

// Ends this process when the other one is gone, however busy it is: a candidate may run for ever.
void watch(int socket) {
  std::thread([socket] {
    pollfd gone{socket, POLLRDHUP, 0};
    while (::poll(&gone, 1, -1) <= 0) {
    }
    ::_exit(kExitFailed);
  }).detach();
}

}  // namespace

int run_worker(int socket) {
  // A crash here is an outcome, and leaves no file behind.
  const rlimit nothing{0, 0};
  ::setrlimit(RLIMIT_CORE, &nothing);
  const Received hello = receive_message(socket, Clock::time_point::max());
  if (hello.arrival != Arrival::message) return kExitUsage;
  watch(socket);

  std::unique_ptr<Service> service;
  const json welcome = guarded([&] {
    service = open_service(hello.message, socket);
    return welcome_json(service->identity());
  });
  if (!send_message(socket, welcome) || !service) return kExitFailed;
  for (;;) {
    const Received request = receive_message(socket, Clock::time_point::max());
    if (request.arrival != Arrival::message) return kExitOk;
    if (!send_message(socket, guarded([&] { return service->answer(request.message); }))) return kExitFailed;
  }
}

}  // namespace attune

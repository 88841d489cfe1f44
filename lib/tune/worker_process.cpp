#include "tune/worker_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <thread>

extern char** environ;

namespace attune {
namespace {

using Clock = std::chrono::steady_clock;

// A process that crashes is gone only after its memory is given back, on a GPU, too.
constexpr std::chrono::seconds kTimeToDie(5);

// The caller's signal mask and ignored signals are not the worker's.
void set_signals(posix_spawnattr_t& attributes) {
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

// Returns an error number.
int spawn(const std::string& program, int socket, pid_t& process) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, socket, STDIN_FILENO);
  // What a crashing worker prints is not the caller's output; its outcome says what is to be said.
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
#if __GLIBC_PREREQ(2, 34)
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
#endif
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  set_signals(attributes);
  std::string name = program, flag = "--worker";
  char* const argv[] = {name.data(), flag.data(), nullptr};
  const int error = posix_spawn(&process, program.c_str(), &actions, &attributes, argv, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

// The status of a process that is gone by the deadline; 0 when someone else has waited for it.
std::optional<int> wait_until(pid_t process, Clock::time_point deadline) {
  for (;;) {
    int status = 0;
    const pid_t waited = ::waitpid(process, &status, WNOHANG);
    if (waited == process) return status;
    if (waited < 0 && errno != EINTR) return 0;
    if (Clock::now() >= deadline) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

WorkerEnd end_of(int status) {
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    const bool by_outsider = signal == SIGKILL || signal == SIGTERM || signal == SIGINT || signal == SIGHUP;
    return {fmt::format("it was killed by signal {} ({})", signal, ::strsignal(signal)), by_outsider};
  }
  return {fmt::format("it exited with status {}", WEXITSTATUS(status))};
}

}  // namespace

std::unique_ptr<WorkerProcess> WorkerProcess::start(const std::filesystem::path& program,
                                                    std::string& reason) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    reason = fmt::format("cannot make a socket: {}", std::strerror(errno));
    return nullptr;
  }
  pid_t process = -1;
  const int error = spawn(program.string(), ends[1], process);
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    reason = fmt::format("{} cannot be started: {}", program.string(), std::strerror(error));
    return nullptr;
  }
  return std::unique_ptr<WorkerProcess>(new WorkerProcess(process, ends[0]));
}

WorkerProcess::~WorkerProcess() {
  ::close(socket_);
  if (process_ < 0) return;
  ::kill(-process_, SIGKILL);
  wait_until(process_, Clock::now() + kTimeToDie);
}

WorkerEnd WorkerProcess::end() {
  if (process_ < 0) return {"it is gone"};
  // Also for one that talks nonsense: it can neither read nor write any more.
  ::shutdown(socket_, SHUT_RDWR);
  std::optional<int> status = wait_until(process_, Clock::now() + kTimeToDie);
  if (!status) {
    ::kill(-process_, SIGKILL);
    wait_until(process_, Clock::now() + kTimeToDie);
  }
  process_ = -1;
  return status ? end_of(*status) : WorkerEnd{"it answered nothing that can be understood"};
}

}  // namespace attune

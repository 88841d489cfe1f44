// Workers and their masters killed at any moment.
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <sstream>
#include <thread>

#include "support/catch.h"
#include "tune/worker_trial_runner.h"
#include "tuner/isolation_bench.h"

extern char** environ;

using namespace attune;
using namespace attune::tuner_test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

// Not so of a dead one that nobody has waited for.
bool is_worker(pid_t process) {
  const std::string words = read_file(fmt::format("/proc/{}/cmdline", process)).value_or("");
  return words.find("--worker") != std::string::npos;
}

// The workers that this process, whichever thread of it, or another one has started.
std::vector<pid_t> workers_of(pid_t process) {
  std::vector<pid_t> workers;
  std::error_code error;
  for (const auto& thread :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/task", process), error)) {
    std::istringstream children(read_file(thread.path() / "children").value_or(""));
    for (pid_t child = 0; children >> child;) {
      if (is_worker(child)) workers.push_back(child);
    }
  }
  return workers;
}

// Kills one of our workers every now and then while it lives.
class Killer {
 public:
  explicit Killer(unsigned seed, int most) : thread_([this, seed, most] { work(seed, most); }) {}
  ~Killer() {
    done_ = true;
    thread_.join();
  }
  int kills() const { return kills_; }

 private:
  void work(unsigned seed, int most) {
    std::mt19937 random(seed);
    while (!done_ && kills_ < most) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20 + random() % 180));
      const std::vector<pid_t> workers = workers_of(::getpid());
      if (workers.empty()) continue;
      ::kill(workers[random() % workers.size()], SIGKILL);
      ++kills_;
    }
  }

  std::atomic<bool> done_ = false;
  std::atomic<int> kills_ = 0;
  std::thread thread_;
};

// attune-tune on the bench's templates and cache, as a user starts it.
pid_t start_tuning(const IsolationBench& bench) {
  std::vector<std::string> words = {kWorker.string(),
                                    "--device",
                                    "simt",
                                    "--op",
                                    "row_softmax",
                                    "--batch",
                                    "1",
                                    "--seqlen",
                                    "40",
                                    "--seqlen-kv",
                                    "100",
                                    "--max-candidates",
                                    "12",
                                    "--cache-dir",
                                    bench.cache().string()};
  std::vector<char*> argv;
  for (std::string& word : words)
    argv.push_back(word.data());
  argv.push_back(nullptr);
  std::string templates = "ATTUNE_TEMPLATE_DIR=" + bench.templates().string();
  std::vector<char*> environment;
  for (char** entry = environ; *entry; ++entry)
    environment.push_back(*entry);
  environment.push_back(templates.data());
  environment.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t process = -1;
  REQUIRE(posix_spawn(&process, argv[0], &actions, nullptr, argv.data(), environment.data()) == 0);
  posix_spawn_file_actions_destroy(&actions);
  return process;
}

bool is_running(const IsolationBench& bench, const Config& config) {
  try {
    SQLite::Database database((bench.cache() / "tuning.db").string());
    SQLite::Statement statement(database,
                                "SELECT count(*) FROM record WHERE outcome = 'running' AND config = ?");
    statement.bind(1, to_string(config));
    return statement.executeStep() && statement.getColumn(0).getInt() > 0;
  } catch (const SQLite::Exception&) {
    return false;  // not there yet, or busy
  }
}

template <typename Condition>
bool eventually(const Condition& condition) {
  for (int i = 0; i < 600; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(100ms);
  }
  return false;
}

}  // namespace

TEST_CASE("workers that are killed at random moments cost nothing but time", "[simt]") {
  for (const unsigned seed : {1u, 2u, 3u}) {
    IsolationBench bench;
    TuneReport report;
    int kills = 0;
    {
      Killer killer(seed, 8);
      report = bench.tune({.force = true, .max_candidates = 12});
      kills = killer.kills();
    }
    INFO("seed " << seed << ", " << kills << " kills");
    CHECK(report.complete);
    REQUIRE(report.winner);
    CHECK(report.trials.size() == 12);
    for (const Trial& trial : report.trials) {
      INFO(to_string(trial.candidate.config) << ": " << trial.reason);
      // One that was unlucky twice is held for the culprit; the others are not.
      const bool unlucky =
          trial.outcome == Outcome::crashed && trial.reason.find("killed") != std::string::npos;
      CHECK((trial.timed() || unlucky));
    }
    CHECK(workers_of(::getpid()).empty());
  }
}

TEST_CASE("a tuning run that is killed leaves no worker, and the next one goes on where it was", "[simt]") {
  IsolationBench bench(kEndless);
  const pid_t tuner = start_tuning(bench);
  REQUIRE(eventually([&] { return is_running(bench, kBad); }));
  CHECK_FALSE(bench.record());  // it may still end well
  const std::vector<pid_t> workers = workers_of(tuner);
  CHECK_FALSE(workers.empty());
  ::kill(tuner, SIGKILL);
  int status = 0;
  ::waitpid(tuner, &status, 0);
  CHECK(eventually([&] { return std::ranges::none_of(workers, is_worker); }));

  REQUIRE(bench.record());
  CHECK(bench.record()->outcome == Outcome::crashed);
  CHECK_THAT(bench.record()->reason, ContainsSubstring(fmt::format("process {} ", tuner)));
  const TuneReport report = bench.tune({.max_candidates = 12});
  CHECK(trial_of(report, kBad).outcome == Outcome::crashed);
  CHECK(trial_of(report, kBad).reused);
  CHECK(report.complete);
  CHECK(report.winner);
}

// NOTE: workers are given up for all once one cannot be started while none has worked yet, as when the
// program is being replaced by another version; one that was started before may still work, and then die.
TEST_CASE("when no further worker can be had, the error says what failed", "[simt]") {
  IsolationBench bench;
  bench.workers.program = write_program(
      bench.folder() / "once", fmt::format("#!/bin/sh\nrm \"$0\"\nexec '{}' \"$@\"\n", kWorker.string()));
  Backend& backend = *bench.context().backend;
  const auto workers = std::make_shared<Workers>(bench.workers, backend, bench.log().log());
  const auto runner = make_worker_trial_runner(backend, kSmallRows, workers);
  REQUIRE(eventually([&] { return !std::filesystem::exists(bench.workers.program); }));
  CHECK(workers->degraded_reason() == "");
  CHECK_FALSE(workers->start(WorkerRole::compile));
  CHECK_THAT(workers->degraded_reason(), ContainsSubstring("cannot be started: No such file"));

  Trial trial{.candidate = require_candidates(kSmallRows, backend.device(), {}).at(0)};
  const CompiledImage nonsense{.bytes = "nonsense", .entry = "row_softmax"};
  runner->validate(trial, nonsense);
  CHECK(trial.outcome == Outcome::launch_failed);  // the first worker works
  for (const pid_t worker : workers_of(::getpid()))
    ::kill(worker, SIGKILL);
  std::string message;
  try {
    runner->validate(trial, nonsense);
  } catch (const Error& error) {
    message = error.what();
  }
  CHECK_THAT(message, ContainsSubstring("no further worker process can be had: ") &&
                          ContainsSubstring("once cannot be started: No such file"));
}

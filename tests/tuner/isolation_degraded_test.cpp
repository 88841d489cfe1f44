// Without a worker that can be used, tuning goes on in this process and says why.
#include <sys/socket.h>

#include "support/catch.h"
#include "tuner/isolation_bench.h"

using namespace attune;
using namespace attune::tuner_test;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr const char* kWarning = "candidates are tried in this process";

std::filesystem::path write_plain_file(const std::filesystem::path& path) {
  std::ofstream(path) << "no program\n";
  return path;
}

}  // namespace

TEST_CASE("a worker that cannot be had is warned of once, and tuning goes on in this process", "[simt]") {
  IsolationBench bench;
  struct Case {
    std::filesystem::path program;
    const char* reason;
  };
  const std::filesystem::path folder = bench.folder();
  const Case cases[] = {
      {folder / "missing", "No such file or directory"},
      {write_plain_file(folder / "plain"), "Permission denied"},
      {folder, "Permission denied"},
      {"/bin/true", "it exited with status 0"},  // its pipe is closed at once
      {write_program(folder / "silent", "#!/bin/sh\nexec sleep 30\n"), "it was not ready after 0.5 s"},
      // How it ends when nobody listens is up to it: by a signal, or with the error of a write.
      {write_program(folder / "babbling", "#!/bin/sh\nexec yes >&0\n"), "babbling: it "},
      {"/bin/cat", "it exited"},
  };
  for (const Case& tested : cases) {
    INFO(tested.program.string());
    bench.workers.program = tested.program;
    bench.workers.ready_seconds = tested.program == folder / "silent" ? 0.5 : 20;
    const long before = bench.log().count(ATTUNE_LOG_WARNING);
    const TuneReport report = bench.tune({.force = true, .max_candidates = 2});
    CHECK(report.winner);
    CHECK(report.complete);
    CHECK(bench.log().count(ATTUNE_LOG_WARNING) == before + 1);
    bool told = false;
    INFO(bench.log().lines().back().text);
    for (const LogCapture::Line& line : bench.log().lines()) {
      const bool ours = line.text.find(kWarning) != std::string::npos;
      told |= ours && line.text.find(tested.reason) != std::string::npos &&
              line.text.find(tested.program.string()) != std::string::npos;
    }
    CHECK(told);
  }
}

TEST_CASE("a worker of another version, compiler or device is refused") {
  CHECK(refuse_reason(welcome_json("g++ 12"), "g++ 12") == "");
  CHECK(refuse_reason(welcome_json("g++ 12"), "g++ 13") ==
        "it works with 'g++ 12', this process with 'g++ 13'");
  nlohmann::json older = welcome_json("g++ 12");
  older["library"] = "0.0.9";
  CHECK_THAT(refuse_reason(older, "g++ 12"), ContainsSubstring("it is of version 0.0.9"));
  nlohmann::json newer = welcome_json("g++ 12");
  newer["protocol"] = kWorkerProtocol + 1;
  CHECK_THAT(refuse_reason(newer, "g++ 12"),
             ContainsSubstring(fmt::format("protocol {}", kWorkerProtocol + 1)));
  CHECK(refuse_reason({{"protocol", "one"}}, "g++ 12") == "it does not answer as a worker does");
  CHECK(refuse_reason(nlohmann::json::array(), "g++ 12") == "it does not answer as a worker does");
  CHECK(refuse_reason(error_json(Error(ATTUNE_ERROR_NO_DEVICE, "the GPU is in exclusive use")), "") ==
        "the GPU is in exclusive use");
}

TEST_CASE("a worker refuses whoever is of another version, and ends with them") {
  std::string reason;
  std::unique_ptr<WorkerProcess> worker = WorkerProcess::start(kWorker, reason);
  REQUIRE(worker);
  nlohmann::json hello = to_json(WorkerHello{.role = WorkerRole::compile, .device = "simt:sm_90a"});
  hello["library"] = "99.0.0";
  REQUIRE(worker->send(hello));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  const Received answer = worker->receive(deadline);
  REQUIRE(answer.arrival == Arrival::message);
  CHECK_THAT(refuse_reason(answer.message, ""), ContainsSubstring("of version 99.0.0"));
  CHECK(worker->receive(deadline).arrival == Arrival::closed);
  CHECK(worker->end().how == "it exited with status 1");
}

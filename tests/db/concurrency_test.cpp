// Several TuningDb objects on one file, in threads and in processes.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

#include "base/files.h"
#include "db/fixtures.h"
#include "db/tuning_db.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::db_test;

namespace {

// Exit status 0 when everything reached the file. Opens it anew now and then: the last to close removes the
// write-ahead log while another opens it.
int write_records(const std::filesystem::path& path, int writer, int count) {
  std::unique_ptr<TuningDb> db;
  for (int i = 0; i < count; ++i) {
    if (i % 3 == 0) {
      db.reset();
      db = TuningDb::open(path, Log(), std::chrono::seconds(20));
    }
    if (!db->add(sample_record("WRITER=" + std::to_string(writer) + " I=" + std::to_string(i)))) return 1;
    if (!db->is_persistent()) return 2;
  }
  return 0;
}

}  // namespace

TEST_CASE("two databases on one file see each other's trials") {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "tuning.db";
  const auto first = TuningDb::open(path, Log());
  const auto second = TuningDb::open(path, Log());
  first->add(sample_record("A=1"));
  CHECK(second->records().size() == 1);
  second->add(sample_record("A=2"));
  CHECK(first->records().size() == 2);
}

TEST_CASE("threads share one database") {
  const ScratchDirectory scratch;
  const auto db = TuningDb::open(scratch.path() / "tuning.db", Log());
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        if (!db->add(sample_record("T=" + std::to_string(t) + " I=" + std::to_string(i)))) ++failures;
        if (best_config(*db).empty()) ++failures;
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(failures == 0);
  CHECK(db->records().size() == 160);
  CHECK(db->is_persistent());
}

TEST_CASE("processes create one file at the same time and lose nothing") {
  constexpr int kWriters = 4;
  constexpr int kEach = 50;
  constexpr size_t kAll = 200;
  for (int round = 0; round < 5; ++round) {
    const ScratchDirectory scratch;
    const auto path = scratch.path() / "tuning.db";
    std::vector<pid_t> children;
    for (int writer = 0; writer < kWriters; ++writer) {
      const pid_t child = ::fork();
      REQUIRE(child >= 0);
      if (child == 0) ::_exit(write_records(path, writer, kEach));
      children.push_back(child);
    }
    for (const pid_t child : children) {
      int status = 0;
      REQUIRE(::waitpid(child, &status, 0) == child);
      CHECK(status == 0);
    }
    std::vector<std::string> configs;
    for (const Record& record : TuningDb::open(path, Log())->records())
      configs.push_back(record.config);
    std::ranges::sort(configs);
    CHECK(std::ranges::adjacent_find(configs) == configs.end());
    CHECK(configs.size() == kAll);
  }
}

TEST_CASE("a killed process loses no committed trial") {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "tuning.db";
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto db = TuningDb::open(path, Log());
    for (int i = 0; i < 5; ++i)
      db->add(sample_record("I=" + std::to_string(i)));
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  LogCapture capture;
  CHECK(TuningDb::open(path, capture.log())->records().size() == 5);
  CHECK(capture.lines.empty());
}

TEST_CASE("a child after fork leaves its parent's database alone") {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "tuning.db";
  auto db = TuningDb::open(path, Log());
  db->add(sample_record("A=1"));
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    db->add(sample_record("CHILD=1"));
    const bool nothing = db->records().empty();
    db.reset();
    ::_exit(nothing ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  db->add(sample_record("A=2"));
  CHECK(db->records().size() == 2);
  CHECK(raw(path).execAndGet("SELECT count(*) FROM record").getInt() == 2);
}

// Rows of trials that had not ended when they were written.
#include <sys/wait.h>
#include <unistd.h>

#include "db/fixtures.h"
#include "db/living_process.h"
#include "db/tuning_db.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::db_test;

TEST_CASE("a process is alive until it is dead, and no other one has its name") {
  const std::string name = name_of_this_process();
  CHECK(is_alive(name));
  CHECK_FALSE(is_alive(name + "0"));
  for (const char* other : {"", "process", "process x since 1 of boot y", "process -1 since 1 of boot y",
                            "process 99999999999999999999 since", "process 1 since 0 of boot y"}) {
    INFO(other);
    CHECK_FALSE(is_alive(other));
  }
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t info{};
  REQUIRE(::waitid(P_PID, child, &info, WEXITED | WNOWAIT) == 0);  // dead, and not waited for
  std::string name_of_child = name;
  name_of_child.replace(8, name.find(' ', 8) - 8, std::to_string(child));
  CHECK_FALSE(is_alive(name_of_child));
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("a trial that is running is nobody's business, and one whose process died has crashed") {
  const std::unique_ptr<TuningDb> database = TuningDb::open(std::nullopt, Log());
  Record record = sample_record();
  const int64_t id = database->begin(record);
  REQUIRE(id > 0);
  CHECK(database->records().empty());
  record.outcome = Outcome::wrong_result;
  CHECK(database->add(record));
  database->end(id);
  REQUIRE(database->records().size() == 1);
  CHECK(database->records()[0].outcome == Outcome::wrong_result);
  database->end(database->records()[0].id);  // which is not running
  CHECK(database->records().size() == 1);

  Record orphan = sample_record();
  orphan.outcome = Outcome::running;
  orphan.reason = "process 1 since 0 of boot before";
  CHECK(database->add(orphan));
  REQUIRE(database->records().size() == 2);
  CHECK(database->records()[1].outcome == Outcome::crashed);
  CHECK(database->records()[1].reason == "the trial never ended: process 1 since 0 of boot before is dead");
}

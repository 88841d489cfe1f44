// Databases that others keep: read, never written, never waited for.
#include <sys/stat.h>

#include "base/files.h"
#include "db/fixtures.h"
#include "db/schema.h"
#include "db/tuning_db.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::db_test;
namespace fs = std::filesystem;

namespace {

void make_database(const fs::path& path) {
  TuningDb::open(path, Log())->add(sample_record("A=1"));
}

void check_counts_as_empty(const fs::path& path, const std::string& reason) {
  const std::optional<std::string> before = fs::is_regular_file(path) ? read_file(path) : std::nullopt;
  LogCapture capture;
  const auto db = TuningDb::open_read_only(path, capture.log());
  CAPTURE(db->degraded_reason());
  CHECK(db->degraded_reason().find(reason) != std::string::npos);
  CHECK(db->records().empty());
  CHECK(capture.warnings() == 1);
  CHECK(capture.says(path.string()));
  if (before) CHECK(read_file(path) == before);
}

}  // namespace

TEST_CASE("a read-only database is found and not written") {
  const ScratchDirectory scratch;
  const fs::path directory = scratch.path() / "100% #1?";  // what a URI would take for its own
  const fs::path path = directory / "site.db";
  make_database(path);
  const std::string before = *read_file(path);
  REQUIRE(::chmod(path.c_str(), 0444) == 0);
  REQUIRE(::chmod(directory.c_str(), 0555) == 0);  // a write-ahead log could have no index here
  LogCapture capture;
  {
    const auto db = TuningDb::open_read_only(path, capture.log());
    CHECK(best_config(*db) == "A=1");
    CHECK(db->degraded_reason().empty());
    CHECK_FALSE(db->is_persistent());
    CHECK(capture.warnings() == 0);
    CHECK_FALSE(db->add(sample_record("A=2")));
    CHECK(capture.warnings() == 1);
    CHECK(capture.says("read-only"));
    CHECK(db->records().size() == 1);
  }
  CHECK(read_file(path) == before);
  REQUIRE(::chmod(directory.c_str(), 0755) == 0);
  CHECK(std::distance(fs::directory_iterator(directory), {}) == 1);
}

TEST_CASE("nobody who is writing holds a reader up") {
  const ScratchDirectory scratch;
  const fs::path path = scratch.path() / "site.db";
  make_database(path);
  SQLite::Database other = raw(path);
  other.exec("PRAGMA journal_mode = delete; BEGIN EXCLUSIVE");
  CHECK(TuningDb::open_read_only(path, Log())->records().size() == 1);
}

TEST_CASE("a site's file that cannot be used counts as empty, with one warning") {
  const ScratchDirectory scratch;
  const fs::path path = scratch.path() / "site.db";
  SECTION("with a log that is not merged") {
    make_database(path);
    REQUIRE(write_file_atomically(path.string() + "-wal", "something").empty());
    check_counts_as_empty(path, "9 bytes of site.db-wal are not merged");
  }
  SECTION("missing") {
    check_counts_as_empty(path, "No such file");
    CHECK_FALSE(fs::exists(path));
  }
  SECTION("empty") {
    REQUIRE(write_file_atomically(path, "").empty());
    check_counts_as_empty(path, "not ours");
  }
  SECTION("garbage") {
    REQUIRE(write_file_atomically(path, std::string(5000, 'g')).empty());
    check_counts_as_empty(path, "not a database");
  }
  SECTION("newer") {
    make_database(path);
    raw(path).exec("PRAGMA user_version = 99");
    check_counts_as_empty(path, "newer than " + std::to_string(schema_version()));
  }
  SECTION("others may write it") {
    make_database(path);
    REQUIRE(::chmod(path.c_str(), 0666) == 0);
    check_counts_as_empty(path, "can be written by others");
  }
  SECTION("a trigger") {
    make_database(path);
    raw(path).exec("CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM record; END");
    check_counts_as_empty(path, "views, triggers");
  }
  SECTION("a directory") {
    REQUIRE(fs::create_directory(path));
    check_counts_as_empty(path, "not a regular file");
  }
}

TEST_CASE("a site's file that is broken within gives what can be read, and one warning") {
  const ScratchDirectory scratch;
  const fs::path path = scratch.path() / "site.db";
  {
    const auto db = TuningDb::open(path, Log());
    for (int i = 0; i < 50; ++i)
      db->add(sample_record("I=" + std::to_string(i)));
  }
  std::string bytes = *read_file(path);
  bytes.replace(4096, 1 << 15, 1 << 15, '\x55');
  REQUIRE(write_file_atomically(path, bytes).empty());
  LogCapture capture;
  const auto db = TuningDb::open_read_only(path, capture.log());
  CHECK(db->records().size() < 50);
  CHECK(db->records().size() < 50);
  CHECK(capture.warnings() == 1);
}

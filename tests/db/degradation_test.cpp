// TuningDb on files and directories it cannot or must not use: never an exception, one warning, the file as
// it was.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <random>

#include "base/files.h"
#include "db/fixtures.h"
#include "db/schema.h"
#include "db/tuning_db.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::db_test;
namespace fs = std::filesystem;

namespace {

constexpr std::chrono::milliseconds kShort(50);

// The database works, from memory, and said so once.
void check_degraded(TuningDb& db, const LogCapture& capture, const std::string& reason) {
  CAPTURE(db.degraded_reason());
  CHECK_FALSE(db.is_persistent());
  CHECK(db.degraded_reason().find(reason) != std::string::npos);
  CHECK(capture.warnings() == 1);
  const size_t before = db.records().size();
  CHECK(db.add(sample_record("MEMORY=1", 1e-9)));
  CHECK(db.records().size() == before + 1);
  CHECK(best_config(db) == "MEMORY=1");
  CHECK(capture.warnings() == 1);
}

void check_open_degrades(const fs::path& path, const std::string& reason) {
  const std::optional<std::string> before = fs::is_regular_file(path) ? read_file(path) : std::nullopt;
  LogCapture capture;
  const auto db = TuningDb::open(path, capture.log(), kShort);
  check_degraded(*db, capture, reason);
  CHECK(capture.says(path.string()));
  if (before) CHECK(read_file(path) == before);
}

// A file with `count` records, closed.
void make_database(const fs::path& path, int count) {
  const auto db = TuningDb::open(path, Log());
  for (int i = 0; i < count; ++i)
    db->add(sample_record("I=" + std::to_string(i)));
}

// While it lives, no file of this process grows beyond `bytes`: a write fails as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  sighandler_t handler_;
};

}  // namespace

TEST_CASE("a path below a regular file") {
  const ScratchDirectory scratch;
  REQUIRE(write_file_atomically(scratch.path() / "file", "x").empty());
  check_open_degrades(scratch.path() / "file" / "tuning.db", "file");
}

TEST_CASE("a directory that cannot be made") {
  check_open_degrades("/proc/attune-test/tuning.db", "/proc");
}

TEST_CASE("a directory that others can write to") {
  const ScratchDirectory scratch;
  REQUIRE(::chmod(scratch.path().c_str(), 0777) == 0);
  check_open_degrades(scratch.path() / "tuning.db", "can be written by others");
  CHECK_FALSE(fs::exists(scratch.path() / "tuning.db"));
}

TEST_CASE("a file that is not a plain file of this user alone") {
  const ScratchDirectory scratch;
  const fs::path path = scratch.path() / "tuning.db";
  SECTION("directory") {
    REQUIRE(fs::create_directory(path));
    check_open_degrades(path, "not a regular file");
  }
  SECTION("link") {
    make_database(scratch.path() / "other.db", 1);
    fs::create_symlink(scratch.path() / "other.db", path);
    check_open_degrades(path, "not a regular file");
  }
  SECTION("pipe") {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    check_open_degrades(path, "not a regular file");
  }
  SECTION("others may write it") {
    make_database(path, 1);
    REQUIRE(::chmod(path.c_str(), 0666) == 0);
    check_open_degrades(path, "can be written by others (mode 666)");
  }
}

TEST_CASE("a file that cannot be written") {
  if (::geteuid() == 0) ATTUNE_SKIP("permission bits do not bind root");
  const ScratchDirectory scratch;
  make_database(scratch.path() / "tuning.db", 1);
  REQUIRE(::chmod((scratch.path() / "tuning.db").c_str(), 0400) == 0);
  check_open_degrades(scratch.path() / "tuning.db", "cannot be written");
}

TEST_CASE("garbage") {
  const ScratchDirectory scratch;
  const fs::path path = scratch.path() / "tuning.db";
  // SQLite takes a single byte for an empty file.
  for (const size_t size : {2, 10, 99, 100, 512, 5000, 100000}) {
    CAPTURE(size);
    std::mt19937 random(static_cast<unsigned>(size));
    std::string bytes(size, '\0');
    for (char& byte : bytes)
      byte = static_cast<char>(random() | 1);
    REQUIRE(write_file_atomically(path, bytes).empty());
    check_open_degrades(path, "not a database");
  }
}

TEST_CASE("a newer schema, and other programs' databases, are refused untouched") {
  const ScratchDirectory scratch;
  const fs::path path = scratch.path() / "tuning.db";
  SECTION("newer") {
    make_database(path, 1);
    raw(path).exec("PRAGMA user_version = 99");
    check_open_degrades(path, "schema version 99 is newer than " + std::to_string(schema_version()));
  }
  SECTION("tables of another program") {
    raw(path).exec("CREATE TABLE bookmarks (url TEXT)");
    check_open_degrades(path, "another program");
  }
  SECTION("application id of another program") {
    raw(path).exec("PRAGMA application_id = 7; PRAGMA user_version = 1");
    check_open_degrades(path, "another program (application id 0x7, version 1)");
  }
  SECTION("our marks without our table") {
    raw(path).exec(
        "PRAGMA application_id = " + std::to_string(kApplicationId) +
        "; PRAGMA user_version = 1; CREATE TABLE record (id INTEGER PRIMARY KEY, device_key TEXT)");
    LogCapture
        capture;  // no byte-for-byte check: the journal mode is changed before the tables are looked at
    check_degraded(*TuningDb::open(path, capture.log()), capture, "tables are not ours");
  }
  SECTION("a trigger") {
    make_database(path, 1);
    raw(path).exec("CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM record; END");
    check_open_degrades(path, "views, triggers");
  }
  SECTION("a view in the table's place") {
    make_database(path, 1);
    raw(path).exec("ALTER TABLE record RENAME TO hidden; CREATE VIEW record AS SELECT * FROM hidden");
    check_open_degrades(path, "views, triggers");
  }
}

TEST_CASE("a file locked by another process") {
  const ScratchDirectory scratch;
  const fs::path path = scratch.path() / "tuning.db";
  SECTION("at open") {
    SQLite::Database other = raw(path);
    other.exec("CREATE TABLE t (x); BEGIN EXCLUSIVE");
    check_open_degrades(path, "locked");
  }
  SECTION("later: what was there moves along") {
    LogCapture capture;
    const auto db = TuningDb::open(path, capture.log(), kShort);
    db->add(sample_record("A=1"));
    SQLite::Database other = raw(path);
    other.exec("BEGIN IMMEDIATE");
    CHECK(db->records().size() == 1);  // readers are not in the way
    CHECK(db->is_persistent());
    CHECK(db->add(sample_record("A=2")));
    CHECK(db->records().size() == 2);
    check_degraded(*db, capture, "locked");
    other.exec("ROLLBACK");
    CHECK(other.execAndGet("SELECT count(*) FROM record").getInt() == 1);
  }
}

TEST_CASE("a disk that is full") {
  const ScratchDirectory scratch;
  LogCapture capture;
  const auto db = TuningDb::open(scratch.path() / "tuning.db", capture.log(), kShort);
  Record record = sample_record();
  record.reason.assign(kMaxTextBytes, 'r');
  db->add(record);
  {
    const FileSizeLimit full(256 << 10);
    for (int i = 0; i < 200; ++i)
      CHECK(db->add(record));
  }
  CHECK(db->records().size() == 201);
  check_degraded(*db, capture, "");
}

TEST_CASE("a table changed while it is in use") {
  const ScratchDirectory scratch;
  const fs::path path = scratch.path() / "tuning.db";
  LogCapture capture;
  const auto db = TuningDb::open(path, capture.log(), kShort);
  db->add(sample_record("A=1"));
  raw(path).exec("ALTER TABLE record RENAME COLUMN driver TO chauffeur");
  CHECK(db->add(sample_record("A=2")));
  check_degraded(*db, capture, "driver");
}

TEST_CASE("a database broken while it is open") {
  const ScratchDirectory scratch;
  const fs::path path = scratch.path() / "tuning.db";
  make_database(path, 50);
  LogCapture capture;
  const auto db = TuningDb::open(path, capture.log(), kShort);
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(file >= 0);
  const std::string garbage(1 << 15, '\x55');
  REQUIRE(::pwrite(file, garbage.data(), garbage.size(), 4096) == static_cast<ssize_t>(garbage.size()));
  ::close(file);
  db->records();
  check_degraded(*db, capture, "malformed");
}

TEST_CASE("no byte of a file, flipped or cut off, makes trouble") {
  const ScratchDirectory scratch;
  const fs::path path = scratch.path() / "tuning.db";
  make_database(path, 12);
  const std::string intact = *read_file(path);
  std::mt19937 random(7);
  for (int round = 0; round < 150; ++round) {
    std::string bytes = intact;
    if (round % 3 == 0) {
      bytes.resize(random() % bytes.size());
    } else {
      // Headers of pages are where the interesting bytes are.
      for (int flip = 0; flip < 4; ++flip) {
        const size_t page = random() % (bytes.size() / 4096);
        bytes[page * 4096 + random() % (flip == 0 ? 100 : 4096)] ^= static_cast<char>(1 + random() % 255);
      }
    }
    CAPTURE(round);
    fs::remove(path.string() + "-wal");
    fs::remove(path.string() + "-shm");
    REQUIRE(write_file_atomically(path, bytes).empty());
    LogCapture capture;
    const auto db = TuningDb::open(path, capture.log(), kShort);
    for (const Record& record : db->records())
      CHECK(reject_reason(record).empty());
    best_config(*db);
    db->add(sample_record("AFTER=1"));
    CHECK(db->records().size() <= 13);
    CHECK(capture.warnings() <= 1);
    CHECK(db->is_persistent() == (capture.warnings() == 0));
  }
}

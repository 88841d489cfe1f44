// TuningDb on files that are as they should be.
#include "db/tuning_db.h"

#include <sys/stat.h>

#include <cmath>
#include <ctime>
#include <limits>

#include "base/files.h"
#include "db/connection.h"
#include "db/fixtures.h"
#include "db/row.h"
#include "db/schema.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::db_test;

namespace {

const Toolchain kNow = {.compiler = sample_record().compiler, .driver = sample_record().driver};

}  // namespace

TEST_CASE("memory only is no degradation") {
  LogCapture capture;
  const auto db = TuningDb::open(std::nullopt, capture.log());
  CHECK(db->add(sample_record()));
  CHECK(db->records().size() == 1);
  CHECK_FALSE(db->is_persistent());
  CHECK(db->degraded_reason().empty());
  CHECK(capture.lines.empty());
}

TEST_CASE("a record comes back as it was, from another process's point of view") {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "new" / "cache" / "tuning.db";
  Record record = sample_record();
  record.samples = {0.1, 1.0 / 3, 5e-324, 1.7e308, 0};
  record.outcome = Outcome::wrong_result;
  record.reason = "tile 3: error 'x' \"y\"; DROP TABLE record;--\n\xce\xbb";
  record.max_error = std::numeric_limits<double>::infinity();
  record.margin_bytes = int64_t{1} << 62;
  record.memory_clock_hz = std::nullopt;
  TuningDb::open(path, Log())->add(record);

  LogCapture capture;
  const auto db = TuningDb::open(path, capture.log());
  const std::vector<Record> records = db->records();
  REQUIRE(records.size() == 1);
  record.id = records[0].id;
  CHECK(records[0].id > 0);
  CHECK(records[0] == record);
  CHECK(db->is_persistent());
  CHECK(capture.lines.empty());
}

TEST_CASE("a trial gets its date and a storable message") {
  const auto db = TuningDb::open(std::nullopt, Log());
  Record record = sample_record();
  record.created = 0;
  record.reason.assign(3 * kMaxTextBytes, 'e');
  record.max_error = std::nan("");
  REQUIRE(db->add(record));
  const Record stored = db->records().at(0);
  CHECK(std::abs(static_cast<double>(stored.created - std::time(nullptr))) < 60);
  CHECK(stored.reason.size() == kMaxTextBytes);
  CHECK(std::isinf(stored.max_error));
}

TEST_CASE("a trial that cannot be is not kept, and one is told") {
  LogCapture capture;
  const auto db = TuningDb::open(std::nullopt, capture.log());
  Record record = sample_record();
  record.median_seconds = std::nan("");
  CHECK_FALSE(db->add(record));
  CHECK(db->records().empty());
  CHECK(capture.warnings() == 1);
  CHECK(capture.says("median_seconds is nan"));
}

TEST_CASE("samples are read only where they are asked for") {
  const auto db = TuningDb::open(std::nullopt, Log());
  Record record = sample_record();
  db->add(record);
  const std::vector<Record> records = db->records({.with_samples = false});
  REQUIRE(records.size() == 1);
  record.id = records[0].id;
  record.samples.clear();
  CHECK(records[0] == record);
  CHECK(db->records().at(0).samples.size() == 3);
}

TEST_CASE("records are found by device, bucket and static key") {
  const auto db = TuningDb::open(std::nullopt, Log());
  Record record = sample_record();
  db->add(record);
  record.device_key = "other device";
  db->add(record);
  record.bucket = "other bucket";
  db->add(record);
  record.static_key = "other' OR '1'='1";
  db->add(record);
  CHECK(db->records().size() == 4);
  CHECK(db->records({.device_key = kDevice, .static_key = {}, .bucket = {}}).size() == 1);
  CHECK(db->records({.device_key = {}, .static_key = {}, .bucket = kBucket}).size() == 2);
  CHECK(db->records({.device_key = {}, .static_key = sample_record().static_key, .bucket = {}}).size() == 3);
  CHECK(db->records({.device_key = "other device", .static_key = {}, .bucket = kBucket}).size() == 1);
  CHECK(db->records({.device_key = {}, .static_key = record.static_key, .bucket = {}}).size() == 1);
  CHECK(db->records({.device_key = "x' OR '1'='1", .static_key = {}, .bucket = {}}).empty());
  const std::vector<Record> all = db->records();
  for (size_t i = 1; i < all.size(); ++i)
    CHECK(all[i - 1].id < all[i].id);
}

TEST_CASE("ranked answers for its bucket and device only") {
  const auto db = TuningDb::open(std::nullopt, Log());
  CHECK(db->ranked(kDevice, kBucket, kNow).empty());
  db->add(sample_record("A=1", 3e-3));
  db->add(sample_record("A=2", 1e-3));
  Record elsewhere = sample_record("A=3", 1e-6);
  elsewhere.bucket = "another";
  db->add(elsewhere);
  const std::vector<Choice> choices = db->ranked(kDevice, kBucket, kNow);
  REQUIRE(choices.size() == 2);
  CHECK(choices[0].record.config == "A=2");
  CHECK(choices[0].fresh);
  CHECK(choices[1].record.config == "A=1");
  CHECK(choices[0].seconds_per_pair * 3 == Approx(choices[1].seconds_per_pair));
  CHECK_FALSE(db->ranked(kDevice, kBucket, {.compiler = kNow.compiler, .driver = "driver 1"}).front().fresh);
  CHECK(db->ranked("other device", kBucket, kNow).empty());
}

TEST_CASE("the file is private, ours, of the current schema, and logs ahead") {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "cache" / "tuning.db";
  const auto db = TuningDb::open(path, Log());
  struct stat status {};
  REQUIRE(::stat(path.parent_path().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
  SQLite::Database other = raw(path);
  CHECK(other.execAndGet("PRAGMA user_version").getInt() == schema_version());
  CHECK(other.execAndGet("PRAGMA application_id").getInt() == kApplicationId);
  const std::string mode = is_on_local_file_system(scratch.path()) ? "wal" : "delete";
  CHECK(other.execAndGet("PRAGMA journal_mode").getString() == mode);
  CHECK_FALSE(is_on_local_file_system("/proc"));
  CHECK_FALSE(is_on_local_file_system("/there/is/no/such/place"));
}

TEST_CASE("migrations go up one by one, and the last one has every field") {
  int previous = 0;
  for (const Migration& step : migrations()) {
    CHECK(step.to == previous + 1);
    previous = step.to;
  }
  CHECK(previous == schema_version());
  const auto memory = open_memory_database();
  std::string columns;
  SQLite::Statement info(*memory,
                         "SELECT name FROM pragma_table_info('record') WHERE name != 'id' ORDER BY cid");
  while (info.executeStep()) {
    if (!columns.empty()) columns += ", ";
    columns += info.getColumn(0).getString();
  }
  CHECK(columns == record_columns());
}

TEST_CASE("an empty file, and an empty database of version 0, become ours") {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "tuning.db";
  SECTION("no bytes") {
    REQUIRE(write_file_atomically(path, "").empty());
  }
  SECTION("no tables") {
    SQLite::Database other = raw(path);
    other.exec("CREATE TABLE t (x); DROP TABLE t; VACUUM");
  }
  LogCapture capture;
  const auto db = TuningDb::open(path, capture.log());
  CHECK(db->is_persistent());
  CHECK(capture.lines.empty());
  CHECK(db->add(sample_record()));
  CHECK(raw(path).execAndGet("SELECT count(*) FROM record").getInt() == 1);
}

TEST_CASE("the bucket's records are found by an index") {
  const auto memory = open_memory_database();
  SQLite::Statement plan(
      *memory, "EXPLAIN QUERY PLAN " + select_statement() + " WHERE device_key = 'a' AND bucket = 'b'");
  REQUIRE(plan.executeStep());
  CHECK(plan.getColumn(3).getString().find("record_by_bucket") != std::string::npos);
}

// Rows that another hand wrote: they are left out, and the rest is used.
#include "base/files.h"
#include "db/fixtures.h"
#include "db/tuning_db.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::db_test;

TEST_CASE("a hostile value takes out its row and nothing else") {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "tuning.db";
  const auto db = TuningDb::open(path, Log());
  db->add(sample_record("GOOD=1", 1e-3));
  db->add(sample_record("BAD=1", 1e-6));
  const std::string assignments[] = {
      "outcome = 'splendid'",
      "outcome = 3",
      "outcome = ''",
      "median_seconds = -1e-6",
      "median_seconds = 9e999",
      "median_seconds = 'fast'",
      "ci_low_seconds = -1",
      "ci_high_seconds = 0",
      "ci_low_seconds = 9e999",
      "samples = '[1e-6, -1]'",
      "samples = '[1e-6, 1e999]'",
      "samples = '[1e-6, \"x\"]'",
      "samples = '{}'",
      "samples = '['",
      "samples = ''",
      "samples = x'00'",
      "samples = printf('[%.*c', 100000, '[')",
      "samples = '[' || replace(hex(zeroblob(4096)), '00', '1,') || '1]'",
      "samples = '[' || printf('%.*c', 200000, ' ') || ']'",
      "registers = 4294967296",
      "registers = -1",
      "registers = 1.5",
      "registers = 'many'",
      "shared_bytes = -9223372036854775808",
      "seqlen_q = x'ff'",
      "batch = 'two'",
      "compile_seconds = -0.1",
      "max_error = -1",
      "margin_fraction = 9e999",
      "clock_hz = 'quick'",
      "clock_hz = -1",
      "config = printf('%.*c', 5000, 'A')",
      "config = printf('%.*c', 9000000, 'A')",
      "config = x'42'",
      "config = 'A=' || char(27) || '[31m'",
      "config = 'A' || char(0) || 'B'",
      "family = ''",
      "static_key = ''",
      "family = '../' || char(10)",
      "reason = char(7)",
      "reason = printf('%.*c', 5000, 'r')",
      "compiler = 7.5 || char(13)",
      "created = -5",
      "created = 'yesterday'",
  };
  SQLite::Database other = raw(path);
  for (const std::string& assignment : assignments) {
    CAPTURE(assignment);
    other.exec("SAVEPOINT clean");
    other.exec("UPDATE record SET " + assignment + " WHERE config = 'BAD=1'");
    other.exec("RELEASE clean");
    LogCapture capture;
    const auto reader = TuningDb::open(path, capture.log());
    const std::vector<Record> records = reader->records();
    REQUIRE(records.size() == 1);
    CHECK(records[0].config == "GOOD=1");
    CHECK(best_config(*reader) == "GOOD=1");
    CHECK(reader->is_persistent());
    CHECK(capture.warnings() == 0);
    CHECK(capture.says("is left out"));
    other.exec("DELETE FROM record WHERE id = 2");
    db->add(sample_record("BAD=1", 1e-6));
    REQUIRE(db->records().size() == 2);
  }
}

TEST_CASE("values of another type that mean the same are taken") {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "tuning.db";
  const auto db = TuningDb::open(path, Log());
  db->add(sample_record());
  raw(path).exec("UPDATE record SET max_error = 1, clock_hz = 7, memory_clock_hz = NULL, samples = '[]'");
  REQUIRE(db->records().size() == 1);
  CHECK(db->records()[0].max_error == 1.0);
  CHECK(db->records()[0].clock_hz == 7.0);
  CHECK(db->records()[0].samples.empty());
}

TEST_CASE("a row beyond all measure degrades to memory") {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "tuning.db";
  LogCapture capture;
  const auto db = TuningDb::open(path, capture.log());
  db->add(sample_record("GOOD=1"));
  db->add(sample_record("BAD=1"));
  raw(path).exec("UPDATE record SET reason = printf('%.*c', 20000000, 'r') WHERE config = 'BAD=1'");
  CHECK(db->records().size() == 1);  // what came before it moved along
  CHECK_FALSE(db->is_persistent());
  CHECK(capture.warnings() == 1);
}

TEST_CASE("a row with the last possible id does not stop new ones") {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "tuning.db";
  const auto db = TuningDb::open(path, Log());
  db->add(sample_record("A=1"));
  raw(path).exec("UPDATE record SET id = 9223372036854775807");
  CHECK(db->add(sample_record("A=2")));
  CHECK(db->records().size() == 2);
  CHECK(db->is_persistent());
}

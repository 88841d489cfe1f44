// Records packed into bytes, opened where they lie; and the database that the library ships.
#include "db/packed_db.h"

#include <sstream>

#include "base/files.h"
#include "db/recording.h"
#include "db/recording_fixtures.h"
#include "db/schema.h"
#include "db/shipped_db.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::db_test;

namespace {

std::span<const unsigned char> bytes_of(const std::string& text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

std::vector<Record> without_ids(std::vector<Record> records) {
  for (Record& record : records)
    record.id = 0;
  return records;
}

}  // namespace

TEST_CASE("packed records come out as they went in") {
  const std::vector<Record> records = small_recording();
  const std::string packed = pack_records(records);
  CHECK(pack_records(records) == packed);
  LogCapture capture;
  const auto db = TuningDb::open_packed(bytes_of(packed), capture.log());
  CHECK(without_ids(db->records()) == records);
  const Toolchain now{records[0].compiler, records[0].driver};
  const std::vector<Choice> ranked = db->ranked(kGpu, records[0].bucket, now);
  REQUIRE_FALSE(ranked.empty());
  CHECK(ranked.front().record.config == "BLOCK_M=64 BLOCK_N=128");
  CHECK(capture.lines.empty());
}

TEST_CASE("a packed database takes nothing") {
  const std::string packed = pack_records(small_recording());
  const std::string before = packed;
  LogCapture capture;
  const auto db = TuningDb::open_packed(bytes_of(packed), capture.log());
  CHECK_FALSE(db->is_writable());
  CHECK_FALSE(db->is_persistent());
  CHECK_FALSE(db->add(small_recording()[0]));
  CHECK(capture.says("read-only"));
  CHECK(db->add_all(small_recording()) == "the database is read-only");
  CHECK(db->records().size() == small_recording().size());
  CHECK(packed == before);
}

TEST_CASE("no records can be packed, too") {
  LogCapture capture;
  const std::string packed = pack_records({});
  CHECK(TuningDb::open_packed(bytes_of(packed), capture.log())->records().empty());
  CHECK(capture.lines.empty());
}

TEST_CASE("bytes that are no packed database cost one warning") {
  std::string packed = pack_records(small_recording());
  const std::string what = GENERATE(as<std::string>(), "empty", "text", "cut", "version", "foreign");
  if (what == "empty") packed.clear();
  if (what == "text") packed.assign(8192, 'x');
  if (what == "cut") packed.resize(packed.size() / 2);
  if (what == "version") packed[63] = static_cast<char>(schema_version() + 1);  // user_version, big-endian
  if (what == "foreign") packed[71] = 'x';                                      // application_id
  CAPTURE(what);
  LogCapture capture;
  const auto db = TuningDb::open_packed(bytes_of(packed), capture.log());
  if (what != "cut") CHECK(capture.warnings() == 1);  // where the cut shows depends on the rows
  CHECK_FALSE(db->add(small_recording()[0]));
  CHECK(db->records().size() < small_recording().size());
}

TEST_CASE("the shipped database is what the recordings say") {
  const std::optional<std::string> list =
      read_file(std::filesystem::path(ATTUNE_BINARY_DIR) / "generated" / "recordings.list");
  REQUIRE(list);
  std::vector<Record> expected;
  std::istringstream paths(*list);
  for (std::string path; std::getline(paths, path);) {
    const std::optional<std::string> text = read_file(path);
    REQUIRE(text);
    for (Record& record : read_recording(*text, path))
      expected.push_back(std::move(record));
  }
  LogCapture capture;
  const auto db = open_shipped_db(capture.log());
  CHECK((without_ids(db->records()) == expected));
  CHECK_FALSE(db->is_writable());
  CHECK(capture.lines.empty());
}

TEST_CASE("all records are added, or none") {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "cache" / "tuning.db";
  const auto db = TuningDb::open(path, Log());
  std::vector<Record> records = small_recording();
  CHECK(db->add_all(records).empty());
  CHECK(without_ids(TuningDb::open(path, Log())->records()) == records);
  records.back().median_seconds = -1;
  CHECK(db->add_all(records).find("median_seconds is -1") != std::string::npos);
  CHECK(db->records().size() == records.size());
  // A row that SQLite itself refuses takes the ones before it back.
  raw(path).exec("CREATE UNIQUE INDEX once ON record (shape, config, created)");
  std::vector<Record> twice = {recorded(attention(64), "BLOCK_M=1", 1e-3), small_recording()[0]};
  CHECK_FALSE(db->add_all(twice).empty());
  CHECK(db->is_persistent());
  CHECK(db->records().size() == records.size());
}

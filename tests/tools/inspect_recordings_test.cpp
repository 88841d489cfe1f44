// attune-inspect export, import and verify, started as a user starts them.
#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "db/recording_fixtures.h"
#include "db/tuning_db.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::db_test;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

struct Result {
  int status = -1;
  std::string output, errors;
};

// Scratch directories have no character that a shell would read.
Result inspect(const ScratchDirectory& scratch, const std::string& arguments) {
  const fs::path out = scratch.path() / "out", err = scratch.path() / "err";
  const std::string command =
      fmt::format("{}/attune-inspect {} >{} 2>{}", ATTUNE_PROGRAM_DIR, arguments, out.string(), err.string());
  const int status = std::system(command.c_str());
  return {.status = WEXITSTATUS(status), .output = read_file(out).value(), .errors = read_file(err).value()};
}

std::vector<Record> records_in(const fs::path& path) {
  std::vector<Record> records = TuningDb::open(path, Log())->records();
  for (Record& record : records)
    record.id = 0;
  return records;
}

}  // namespace

TEST_CASE("what one database exports another imports, once") {
  const ScratchDirectory scratch;
  const fs::path from = scratch.path() / "from" / "tuning.db", to = scratch.path() / "to" / "tuning.db";
  std::vector<Record> records = small_recording();
  Record elsewhere = records[0];
  elsewhere.device_key = "cuda sm_80 A100 x108";
  {
    const auto database = TuningDb::open(from, Log());
    REQUIRE(database->add_all(records).empty());
    REQUIRE(database->add(elsewhere));
  }
  const Result exported =
      inspect(scratch, fmt::format("export --db {} --device H200 --commit 8fe8cd2", from.string()));
  INFO(exported.errors);
  REQUIRE(exported.status == 0);
  CHECK_THAT(exported.errors,
             ContainsSubstring("8 of 9 trials, 2 problems with a time; NVIDIA H200, 2023-11-14"));
  CHECK_THAT(exported.output, ContainsSubstring("0.1.0+8fe8cd2"));
  CHECK(exported.output.find("A100") == std::string::npos);

  const fs::path file = scratch.path() / "h200.jsonl";
  REQUIRE(write_file_atomically(file, exported.output).empty());
  const std::string import = fmt::format("import --db {} {}", to.string(), file.string());
  const Result imported = inspect(scratch, import);
  INFO(imported.errors);
  CHECK(imported.status == 0);
  CHECK_THAT(imported.output, ContainsSubstring("8 trials added, 0 were there already"));
  CHECK_THAT(inspect(scratch, import).output, ContainsSubstring("0 trials added, 8 were there already"));
  CHECK(records_in(to).size() == 8);
  CHECK(inspect(scratch, "export --db " + to.string()).output == exported.output);
}

TEST_CASE("a bad line is named and nothing is imported") {
  const ScratchDirectory scratch;
  const fs::path from = scratch.path() / "from" / "tuning.db", to = scratch.path() / "to" / "tuning.db";
  REQUIRE(TuningDb::open(from, Log())->add_all(small_recording()).empty());
  std::string text = inspect(scratch, "export --db " + from.string()).output;
  text.insert(text.rfind("{"), "{\"registers\":-1}\n");
  const fs::path file = scratch.path() / "bad.jsonl";
  REQUIRE(write_file_atomically(file, text).empty());
  const Result result = inspect(scratch, fmt::format("import --db {} {}", to.string(), file.string()));
  CHECK(result.status == 2);
  CHECK_THAT(result.errors, ContainsSubstring("bad.jsonl:11: registers is -1 < 0"));
  CHECK_FALSE(fs::exists(to));
}

TEST_CASE("an export of nothing, and of no database, fails and says so") {
  const ScratchDirectory scratch;
  const fs::path path = scratch.path() / "db" / "tuning.db";
  const Result missing = inspect(scratch, "export --db " + path.string());
  CHECK(missing.status == 1);
  CHECK_THAT(missing.errors, ContainsSubstring("does not exist"));
  CHECK_FALSE(fs::exists(path));
  REQUIRE(TuningDb::open(path, Log())->add_all(small_recording()).empty());
  const Result other = inspect(scratch, fmt::format("export --db {} --device B200", path.string()));
  CHECK(other.status == 1);
  CHECK_THAT(other.errors, ContainsSubstring("none of 8 trials"));
  CHECK(inspect(scratch, fmt::format("export --db {} --commit 'a b'", path.string())).status == 2);
}

// Whole plans over caches and databases that are broken, hostile, or not there: one warning at most, never a
// failure.
#include <SQLiteCpp/Database.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capi/cached.h"
#include "capi/fixtures.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;
namespace fs = std::filesystem;

namespace {

// A plan on these options works, with one warning that says why; and compiles no more than needed.
void check_degrades(CachedOptions& cached, const std::string& reason, int builds = 0) {
  LogCapture capture;
  capture.attach(cached.options, ATTUNE_LOG_WARNING);
  const ContextHandle context = make_context(cached.options);
  CHECK(check_plan(context.get()) == ATTUNE_MATCH_DEFAULT);
  CHECK(context->images.counts().builds == builds);
  INFO((capture.lines().empty() ? "no warning" : capture.lines()[0].text));
  CHECK(capture.lines().size() == 1);
  CHECK(capture.says(reason));
  CHECK(check_plan(context.get()) == ATTUNE_MATCH_DEFAULT);
  CHECK(capture.lines().size() == 1);
}

SQLite::Database raw(const fs::path& path) {
  return SQLite::Database(path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 2000);
}

// A good database with one record of the problem, closed.
void make_database(CachedOptions& cached, const std::function<void(Record&)>& change = {}) {
  const ContextHandle context = make_context(cached.options);
  Record record = small_record(*context, 2, 80, 96);
  if (change) change(record);
  REQUIRE(context->database->add(record));
}

}  // namespace

TEST_CASE("a plan over a database that is garbage, newer, or another program's", "[simt]") {
  CachedOptions cached;
  SECTION("garbage") {
    REQUIRE(write_file_atomically(cached.database(), std::string(9000, 'g')).empty());
    check_degrades(cached, "not a database");
  }
  SECTION("newer") {
    make_database(cached);
    raw(cached.database()).exec("PRAGMA user_version = 99");
    check_degrades(cached, "99 is newer than");
  }
  SECTION("another program's") {
    raw(cached.database()).exec("CREATE TABLE bookmarks (url TEXT)");
    check_degrades(cached, "another program");
  }
  SECTION("a directory") {
    REQUIRE(fs::create_directory(cached.database()));
    check_degrades(cached, "not a regular file");
  }
}

TEST_CASE("a plan over a database that breaks after the context was created", "[simt]") {
  CachedOptions cached;
  make_database(cached);
  LogCapture capture;
  capture.attach(cached.options, ATTUNE_LOG_WARNING);
  const ContextHandle context = make_context(cached.options);
  raw(cached.database()).exec("ALTER TABLE record RENAME COLUMN driver TO chauffeur");
  CHECK(check_plan(context.get()) == ATTUNE_MATCH_DEFAULT);
  CHECK(capture.lines().size() == 1);
  CHECK(capture.says("driver"));
}

TEST_CASE("a plan over an image directory that cannot be used, or that others can write", "[simt]") {
  CachedOptions cached;
  SECTION("a file in its place") {
    fs::remove_all(cached.directory() / "images");
    REQUIRE(write_file_atomically(cached.directory() / "images", "x").empty());
    check_degrades(cached, "not a directory", 1);
  }
  SECTION("others can write it") {
    REQUIRE(::chmod((cached.directory() / "images").c_str(), 0777) == 0);
    check_degrades(cached, "can be written by others", 1);
  }
}

TEST_CASE("a plan over a cache directory that can only be read", "[simt]") {
  if (::geteuid() == 0) ATTUNE_SKIP("permission bits do not bind root");
  CachedOptions cached;
  REQUIRE(::chmod(cached.directory().c_str(), 0500) == 0);
  check_degrades(cached, "cannot write to", 1);
  REQUIRE(::chmod(cached.directory().c_str(), 0700) == 0);
}

TEST_CASE("a plan over broken images compiles once more and says nothing", "[simt]") {
  CachedOptions cached;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(cached.directory() / "images")) {
    if (entry.is_regular_file()) fs::resize_file(entry.path(), 100);
  }
  LogCapture capture;
  capture.attach(cached.options, ATTUNE_LOG_WARNING);
  const ContextHandle context = make_context(cached.options);
  check_plan(context.get());
  CHECK(context->images.counts().builds == 1);
  CHECK(capture.lines().empty());
}

TEST_CASE("a plan over hostile rows takes no notice of them", "[simt]") {
  CachedOptions cached;
  const auto check_ignored = [&] {
    const ContextHandle context = make_context(cached.options);
    CHECK(check_plan(context.get()) == ATTUNE_MATCH_DEFAULT);
    CHECK(context->images.counts().builds == 0);
    CHECK(context->database->is_persistent());
  };
  SECTION("a family that is a path") {
    make_database(cached, [](Record& record) { record.family = "../../flash_fwd"; });
    check_ignored();
  }
  SECTION("a config that is code") {
    make_database(cached, [](Record& record) { record.config = "BLOCK_M=64); system(\"true\"); //"; });
    check_ignored();
  }
  SECTION("a config beyond the space") {
    make_database(cached,
                  [](Record& record) { record.config.replace(record.config.find('=') + 1, 2, "65"); });
    check_ignored();
  }
  SECTION("a time that is none") {
    make_database(cached);
    raw(cached.database()).exec("UPDATE record SET median_seconds = 'fast'");
    check_ignored();
  }
  SECTION("another device's") {
    make_database(cached, [](Record& record) { record.device_key = "cuda sm_80 NVIDIA A100 x108"; });
    check_ignored();
  }
}

TEST_CASE("a plan says how its config was found", "[simt]") {
  CachedOptions cached;
  {
    const ContextHandle context = make_context(cached.options);
    CHECK(check_plan(context.get()) == ATTUNE_MATCH_DEFAULT);
    REQUIRE(context->database->add(small_record(*context, 2, 80, 192)));
    CHECK(check_plan(context.get()) == ATTUNE_MATCH_DEFAULT);  // this context has planned it before
  }
  {
    const ContextHandle context = make_context(cached.options);
    CHECK(check_plan(context.get()) == ATTUNE_MATCH_NEAR);
    REQUIRE(context->database->add(small_record(*context, 2, 80, 96)));
  }
  CHECK(check_plan(make_context(cached.options).get()) == ATTUNE_MATCH_EXACT);

  // The same file as a site's, beside a database that knows nothing.
  CachedOptions other;
  const std::string site = cached.database().string();
  other.options.site_database = site.c_str();
  LogCapture capture;
  capture.attach(other.options, ATTUNE_LOG_WARNING);
  CHECK(check_plan(make_context(other.options).get()) == ATTUNE_MATCH_EXACT);
  CHECK(capture.lines().empty());
  other.options.site_database = "/nowhere/site.db";
  CHECK(check_plan(make_context(other.options).get()) == ATTUNE_MATCH_DEFAULT);
  CHECK(capture.lines().size() == 1);
  CHECK(capture.says("/nowhere/site.db"));
}

#include "db/schema.h"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>

#include "db/row.h"

namespace attune {
namespace {

constexpr Migration kMigrations[] = {
    {1, R"sql(
      CREATE TABLE record (
        id INTEGER PRIMARY KEY,
        device_key TEXT NOT NULL,
        static_key TEXT NOT NULL,
        bucket TEXT NOT NULL,
        family TEXT NOT NULL,
        config TEXT NOT NULL,
        image_hash TEXT NOT NULL,
        outcome TEXT NOT NULL,
        reason TEXT NOT NULL,
        samples TEXT NOT NULL,            -- JSON array of seconds
        median_seconds REAL NOT NULL,
        ci_low_seconds REAL NOT NULL,
        ci_high_seconds REAL NOT NULL,
        lost_to_seconds REAL NOT NULL,
        registers INTEGER NOT NULL,
        spill_bytes INTEGER NOT NULL,
        shared_bytes INTEGER NOT NULL,
        predicted_registers INTEGER NOT NULL,
        margin_fraction REAL NOT NULL,
        margin_bytes INTEGER NOT NULL,
        compile_seconds REAL NOT NULL,
        max_error REAL NOT NULL,
        compiler TEXT NOT NULL,
        driver TEXT NOT NULL,
        library_version TEXT NOT NULL,
        batch INTEGER NOT NULL,
        heads_q INTEGER NOT NULL,
        heads_kv INTEGER NOT NULL,
        seqlen_q INTEGER NOT NULL,
        seqlen_kv INTEGER NOT NULL,
        shape TEXT NOT NULL,
        created INTEGER NOT NULL,         -- unix seconds
        clock_hz REAL,
        memory_clock_hz REAL
      );
      CREATE INDEX record_by_bucket ON record (device_key, bucket);
      CREATE INDEX record_by_static_key ON record (device_key, static_key);
    )sql"},
};

int pragma(SQLite::Database& database, const char* name) {
  return database.execAndGet(fmt::format("PRAGMA {}", name)).getInt();
}

int count_objects(SQLite::Database& database, const char* condition) {
  return database.execAndGet(fmt::format("SELECT count(*) FROM sqlite_master WHERE {}", condition)).getInt();
}

}  // namespace

std::span<const Migration> migrations() {
  return kMigrations;
}

int schema_version() {
  return migrations().back().to;
}

std::string refuse_reason(SQLite::Database& database) {
  // One snapshot: another process may be creating the file right now.
  database.exec("BEGIN");
  const int version = pragma(database, "user_version");
  const int application = pragma(database, "application_id");
  const int objects = count_objects(database, "1");
  // We never make these, and they would run code of the file's author.
  const int active = count_objects(database, "type IN ('view', 'trigger') OR sql LIKE 'create virtual%'");
  database.exec("COMMIT");
  if (version > schema_version()) {
    return fmt::format("its schema version {} is newer than {}, the newest this library knows", version,
                       schema_version());
  }
  const bool is_new = application == 0 && version == 0 && objects == 0;
  if (application != kApplicationId && !is_new) {
    return fmt::format("it is a database of another program (application id {:#x}, version {})",
                       static_cast<unsigned>(application), version);
  }
  if (active != 0) return fmt::format("it holds {} views, triggers or virtual tables", active);
  return {};
}

void migrate(SQLite::Database& database) {
  if (pragma(database, "user_version") == schema_version()) return;
  database.exec("BEGIN IMMEDIATE");
  // Read again under the lock: another process may just have done it. An exception leaves the transaction to
  // be rolled back with the connection.
  const int version = pragma(database, "user_version");
  for (const Migration& step : migrations()) {
    if (step.to > version) database.exec(step.statements);
  }
  database.exec(fmt::format("PRAGMA application_id = {}", kApplicationId));
  database.exec(fmt::format("PRAGMA user_version = {}", schema_version()));
  database.exec("COMMIT");
}

std::string version_fault(SQLite::Database& database) {
  const int version = pragma(database, "user_version");
  if (version == schema_version()) return {};
  return fmt::format("its schema version is {}, not {}", version, schema_version());
}

std::string schema_fault(SQLite::Database& database) {
  try {
    SQLite::Statement probe(database, select_statement() + " LIMIT 0");
  } catch (const SQLite::Exception& error) {
    return fmt::format("its tables are not ours: {}", error.what());
  }
  return {};
}

}  // namespace attune

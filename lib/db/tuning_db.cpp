#include "db/tuning_db.h"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>
#include <unistd.h>

#include <ctime>
#include <utility>

#include "db/connection.h"
#include "db/living_process.h"
#include "db/row.h"

namespace attune {
namespace {

std::string query_for(const RecordFilter& filter) {
  std::string query = select_statement(filter.with_samples) + " WHERE 1";
  if (filter.device_key) query += " AND device_key = :device_key";
  if (filter.static_key) query += " AND static_key = :static_key";
  if (filter.bucket) query += " AND bucket = :bucket";
  return query + " ORDER BY id";
}

// What a row says whose trial had not ended when it was written. False while it may still end.
// NOTE: the processes of another machine that shares the file cannot be seen from here, and count as dead.
bool settle(Record& record) {
  if (is_alive(record.reason)) return false;
  record.outcome = Outcome::crashed;
  record.reason = fmt::format("the trial never ended: {} is dead", record.reason);
  return true;
}

void warn_degraded(const Log& log, const std::filesystem::path& path, const std::string& reason) {
  log.warning("tuning database {}: {}; the file is left as it is, and memory takes its place in this process",
              path.string(), reason);
}

}  // namespace

std::unique_ptr<TuningDb> TuningDb::open(const std::optional<std::filesystem::path>& path, const Log& log,
                                         std::chrono::milliseconds busy) {
  std::string reason;
  std::unique_ptr<SQLite::Database> database;
  if (path) {
    OpenedFile opened = open_file_database(*path, busy);
    database = std::move(opened.database);
    reason = std::move(opened.reason);
    if (!database) warn_degraded(log, *path, reason);
  }
  if (!database) database = open_memory_database();
  return std::unique_ptr<TuningDb>(new TuningDb(std::move(database), path, false, std::move(reason), log));
}

std::unique_ptr<TuningDb> TuningDb::open_read_only(const std::filesystem::path& path, const Log& log) {
  OpenedFile opened = open_read_only_database(path);
  if (!opened.database) {
    log.warning("tuning database {}: {}; it counts as empty", path.string(), opened.reason);
    opened.database = open_memory_database();
  }
  return std::unique_ptr<TuningDb>(
      new TuningDb(std::move(opened.database), path, true, std::move(opened.reason), log));
}

std::unique_ptr<TuningDb> TuningDb::open_packed(std::span<const unsigned char> bytes, const Log& log) {
  OpenedFile opened = open_packed_database(bytes);
  if (!opened.database) {
    log.warning("the packed tuning database of {} bytes cannot be used: {}", bytes.size(), opened.reason);
    opened.database = open_memory_database();
  }
  return std::unique_ptr<TuningDb>(
      new TuningDb(std::move(opened.database), std::nullopt, true, std::move(opened.reason), log));
}

TuningDb::TuningDb(std::unique_ptr<SQLite::Database> database, std::optional<std::filesystem::path> path,
                   bool read_only, std::string degraded_reason, const Log& log)
    : log_(log),
      path_(std::move(path)),
      read_only_(read_only),
      owner_(::getpid()),
      database_(std::move(database)),
      uses_file_(path_ && degraded_reason.empty()),
      degraded_reason_(std::move(degraded_reason)) {}

TuningDb::~TuningDb() {
  // Closing would touch the locks and the log of the parent's connection, so the child leaks it.
  if (is_forked()) static_cast<void>(database_.release());
}

bool TuningDb::is_forked() const {
  return ::getpid() != owner_;
}

bool TuningDb::add(Record record) {
  if (read_only_) {
    log_.warning("a trial of {} {} is not kept: the database is read-only", record.family, record.config);
    return false;
  }
  tidy(record);
  if (record.created == 0) record.created = static_cast<int64_t>(std::time(nullptr));
  if (const std::string reason = reject_reason(record); !reason.empty()) {
    log_.warning("a trial of {} {} is not kept: {}", record.family, record.config, reason);
    return false;
  }
  attempt([&](SQLite::Database& database) { insert_record(database, record); });
  return true;
}

int64_t TuningDb::begin(Record record) {
  if (read_only_) return 0;
  record.outcome = Outcome::running;
  record.reason = name_of_this_process();
  if (record.created == 0) record.created = static_cast<int64_t>(std::time(nullptr));
  if (!reject_reason(record).empty()) return 0;
  int64_t id = 0;
  attempt([&](SQLite::Database& database) {
    insert_record(database, record);
    id = database.getLastInsertRowid();
  });
  return id;
}

void TuningDb::end(int64_t id) {
  if (id == 0) return;
  attempt([&](SQLite::Database& database) {
    // The outcome is asked for, too, since memory may have taken the file's place, with ids of its own.
    SQLite::Statement statement(database, "DELETE FROM record WHERE id = ? AND outcome = 'running'");
    statement.bind(1, id);
    statement.exec();
  });
}

std::string TuningDb::add_all(const std::vector<Record>& records) {
  if (read_only_) return "the database is read-only";
  if (is_forked()) return "this process was forked from the one that opened the database";
  for (const Record& record : records) {
    if (const std::string reason = reject_reason(record); !reason.empty()) {
      return fmt::format("{} {}: {}", record.family, record.config, reason);
    }
  }
  const std::lock_guard lock(mutex_);
  if (!degraded_reason_.empty()) return degraded_reason_;
  try {
    SQLite::Transaction all_or_none(*database_);
    for (const Record& record : records)
      insert_record(*database_, record);
    all_or_none.commit();
  } catch (const SQLite::Exception& error) {
    return error.what();
  }
  return {};
}

std::vector<Record> TuningDb::records(const RecordFilter& filter) {
  std::vector<Record> records;
  attempt([&](SQLite::Database& database) {
    records.clear();
    read(database, filter, records);
  });
  return records;
}

std::vector<Choice> TuningDb::ranked(const std::string& device_key, const std::string& bucket,
                                     const Toolchain& now, std::string_view shape) {
  return rank(records({.device_key = device_key, .bucket = bucket}), now, shape);
}

bool TuningDb::is_persistent() {
  const std::lock_guard lock(mutex_);
  return uses_file_ && !read_only_;
}

std::string TuningDb::degraded_reason() {
  const std::lock_guard lock(mutex_);
  return degraded_reason_;
}

// Does the work on the file; when that fails, in memory. False when both failed.
bool TuningDb::attempt(const std::function<void(SQLite::Database&)>& work) {
  if (is_forked()) return false;  // the mutex may be held for ever by a thread that only the parent has
  const std::lock_guard lock(mutex_);
  try {
    work(*database_);
    return true;
  } catch (const SQLite::Exception& error) {
    if (!uses_file_) {
      log_.debug("tuning database in memory: {}", error.what());
      return false;
    }
    degrade(error.what());
  }
  try {
    work(*database_);
    return true;
  } catch (const SQLite::Exception& error) {
    log_.debug("tuning database in memory: {}", error.what());
    return false;
  }
}

// Moves to memory, with all that can still be read.
void TuningDb::degrade(const std::string& reason) {
  warn_degraded(log_, *path_, reason);
  degraded_reason_ = reason;
  uses_file_ = false;
  std::unique_ptr<SQLite::Database> memory = open_memory_database();
  std::vector<Record> kept;
  try {
    read(*database_, {}, kept);
  } catch (const SQLite::Exception& error) {
    log_.debug("tuning database {}: only {} records could be read: {}", path_->string(), kept.size(),
               error.what());
  }
  try {
    memory->exec("BEGIN");
    for (const Record& record : kept)
      insert_record(*memory, record);
    memory->exec("COMMIT");
  } catch (const SQLite::Exception& error) {
    log_.debug("tuning database in memory: {}", error.what());
  }
  database_ = std::move(memory);
}

void TuningDb::read(SQLite::Database& database, const RecordFilter& filter,
                    std::vector<Record>& records) const {
  SQLite::Statement statement(database, query_for(filter));
  if (filter.device_key) statement.bind(":device_key", *filter.device_key);
  if (filter.static_key) statement.bind(":static_key", *filter.static_key);
  if (filter.bucket) statement.bind(":bucket", *filter.bucket);
  while (statement.executeStep()) {
    Record record;
    const std::string reason = read_record(statement, record);
    if (reason.empty()) {
      if (record.outcome == Outcome::running && !settle(record)) continue;
      records.push_back(std::move(record));
    } else {
      log_.debug("tuning database: row {} is left out: {}", record.id, reason);
    }
  }
}

}  // namespace attune

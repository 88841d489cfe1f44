#include "db/packed_db.h"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Transaction.h>
#include <sqlite3.h>

#include "base/error.h"
#include "db/connection.h"
#include "db/row.h"

namespace attune {

std::string pack_records(const std::vector<Record>& records) {
  const std::unique_ptr<SQLite::Database> database = open_memory_database();
  try {
    SQLite::Transaction all(*database);
    for (const Record& record : records)
      insert_record(*database, record);
    all.commit();
  } catch (const SQLite::Exception& error) {
    fail(ATTUNE_ERROR_DATABASE, "{} records cannot be packed: {}", records.size(), error.what());
  }
  sqlite3_int64 size = 0;
  const std::unique_ptr<unsigned char, decltype(&sqlite3_free)> bytes(
      sqlite3_serialize(database->getHandle(), "main", &size, 0), sqlite3_free);
  if (!bytes)
    fail(ATTUNE_ERROR_DATABASE, "{} records cannot be packed: SQLite gives no file", records.size());
  return {reinterpret_cast<const char*>(bytes.get()), static_cast<size_t>(size)};
}

}  // namespace attune

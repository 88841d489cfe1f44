// Row: a Record on its way into and out of SQLite.
#pragma once

#include <string>

#include "db/record.h"

namespace SQLite {
class Database;
class Statement;
}  // namespace SQLite

namespace attune {

// "device_key, static_key, ...": every field but the id.
std::string record_columns();

// "INSERT INTO record (...) VALUES (?, ...)".
std::string insert_statement();

// "SELECT id, ... FROM record", to which WHERE and ORDER BY may be added. Without samples, which take the
// most time to read, the column gives an empty array.
std::string select_statement(bool with_samples = true);

// Binds every field in the order of record_columns(), from parameter 1 on.
void bind_record(SQLite::Statement& statement, const Record& record);

// Adds one row. Throws SQLite::Exception.
void insert_record(SQLite::Database& database, const Record& record);

// Takes the record out of a row of select_statement(). Returns why the row must be rejected (a wrong type, a
// number out of its range, whatever reject_reason finds); empty when `record` may be used.
std::string read_record(SQLite::Statement& statement, Record& record);

}  // namespace attune

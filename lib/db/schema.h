// The schema of the tuning database and the steps that lead to it.
#pragma once

#include <span>
#include <string>

namespace SQLite {
class Database;
}

namespace attune {

// PRAGMA application_id of our files ("attn"), so that we never migrate another program's database.
constexpr int kApplicationId = 0x6174746e;

// One step: the statements that take a file from user_version `to - 1` to `to`. A step, once released, never
// changes.
struct Migration {
  int to;
  const char* statements;
};

std::span<const Migration> migrations();

// The user_version this library writes: that of the last migration.
int schema_version();

// Why a file must not be used or changed: it is newer than this library, not ours, or brings code. Empty when
// migrate() may have it. Throws SQLite::Exception for a file that cannot be read.
std::string refuse_reason(SQLite::Database& database);

// Takes the file to schema_version(), all or nothing, also while other processes do the same.
// Throws SQLite::Exception.
void migrate(SQLite::Database& database);

// Why a file that cannot be migrated must not be read; empty when its version is schema_version().
std::string version_fault(SQLite::Database& database);

// Why the tables are not those of the schema, whatever user_version says; empty when they are.
std::string schema_fault(SQLite::Database& database);

}  // namespace attune

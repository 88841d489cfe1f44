// Connection: a SQLite database opened the careful way. Broken, foreign and locked files are expected: they
// give a reason.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace SQLite {
class Database;
}

namespace attune {

struct OpenedFile {
  std::unique_ptr<SQLite::Database> database;  // null when the file cannot be used
  std::string reason;                          // then why
};

// Opens or creates the file in its private directory and brings it to the current schema. A file that is
// refused is left as it is. Waits at most `busy` for each lock that another process holds.
OpenedFile open_file_database(const std::filesystem::path& path, std::chrono::milliseconds busy);

// Opens a file that somebody else keeps, for reading only: it may lie in a directory that cannot be written
// and belong to the superuser, but must have the current schema. It is taken for constant while it is open:
// whoever replaces it renames another one over it.
OpenedFile open_read_only_database(const std::filesystem::path& path);

// A database in memory with the current schema. Throws Error (DATABASE).
std::unique_ptr<SQLite::Database> open_memory_database();

// A database file that lies in memory, such as pack_records() makes, to be read where it lies: `bytes` must
// outlive the result. It must have the current schema.
OpenedFile open_packed_database(std::span<const unsigned char> bytes);

// True when the directory lies on a file system that is known to be local: only there may SQLite keep a
// write-ahead log, whose index is shared memory between processes of one host.
bool is_on_local_file_system(const std::filesystem::path& directory);

}  // namespace attune

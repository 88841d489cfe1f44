#include "db/connection.h"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <system_error>

#include "base/error.h"
#include "base/files.h"
#include "db/schema.h"

namespace attune {
namespace fs = std::filesystem;
namespace {

// Larger texts and rows are not ours; reading one fails instead of filling memory.
constexpr int kMaxValueBytes = 16 << 20;

// From <linux/magic.h>, which lacks some of these. A list of local ones, not of remote ones: an unknown file
// system only costs speed.
constexpr std::array<uint32_t, 11> kLocalFileSystems = {
    0x0000ef53,  // ext2, ext3, ext4
    0x58465342,  // xfs
    0x9123683e,  // btrfs
    0x2fc12fc1,  // zfs
    0x01021994,  // tmpfs
    0x858458f6,  // ramfs
    0xf2f52010,  // f2fs
    0xca451a4e,  // bcachefs
    0x794c7630,  // overlayfs, of containers
    0x3153464a,  // jfs
    0x52654973,  // reiserfs
};

// Why a file that is already there must not be opened; empty when it may, or when there is none. The
// superuser's files are trusted where they are only read.
std::string unsafe_file_reason(const fs::path& path, bool read_only = false) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT && !read_only) return {};
    return fmt::format("cannot inspect it: {}", std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) return "it is not a regular file";
  if (status.st_uid != ::geteuid() && !(read_only && status.st_uid == 0)) {
    return fmt::format("it belongs to user {}, not to user {}", status.st_uid, ::geteuid());
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fmt::format("it can be written by others (mode {:o})", status.st_mode & 07777);
  }
  return {};
}

// The file's author is not trusted: no code of his runs, and no statement of ours reaches SQLite's own
// tables.
void distrust(SQLite::Database& database) {
  sqlite3* handle = database.getHandle();
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, kMaxValueBytes);
  sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
  database.exec("PRAGMA trusted_schema = OFF");
  database.exec("PRAGMA cell_size_check = ON");
  // A file that another process truncates would end this one through its mapping.
  database.exec("PRAGMA mmap_size = 0");
  database.exec("PRAGMA temp_store = MEMORY");
}

void set_journal(SQLite::Database& database, const fs::path& directory) {
  const std::string wanted = is_on_local_file_system(directory) ? "wal" : "delete";
  std::string mode = database.execAndGet("PRAGMA journal_mode").getString();
  if (mode != wanted) {
    // Leaving the write-ahead log needs the file for itself and does not wait for it. Both modes are correct
    // where locks work, so the next one to open the file may try again.
    try {
      mode = database.execAndGet("PRAGMA journal_mode = " + wanted).getString();
    } catch (const SQLite::Exception& error) {
      if (error.getErrorCode() != SQLITE_BUSY) throw;
    }
  }
  // With a write-ahead log a power cut may lose the last trials but never breaks the file.
  if (mode == "wal") database.exec("PRAGMA synchronous = NORMAL");
}

// Throws SQLite::Exception.
OpenedFile try_open(const fs::path& path, std::chrono::milliseconds busy) {
  OpenedFile opened;
  auto database = std::make_unique<SQLite::Database>(
      path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, static_cast<int>(busy.count()));
  distrust(*database);
  // Before anything that would write to the file.
  opened.reason = refuse_reason(*database);
  if (!opened.reason.empty()) return opened;
  if (sqlite3_db_readonly(database->getHandle(), "main") != 0) {
    opened.reason = "it cannot be written";
    return opened;
  }
  set_journal(*database, path.parent_path());
  migrate(*database);
  opened.reason = schema_fault(*database);
  if (opened.reason.empty()) opened.database = std::move(database);
  return opened;
}

// NOTE: immutable, because a write-ahead log's index cannot be made beside a file in a read-only directory,
// and then SQLite would not even read it. Nor does it take locks, which read-only file systems refuse.
std::string immutable_uri(const fs::path& path) {
  std::string uri = "file:";
  for (const char character : path.string()) {
    if (character == '?' || character == '#' || character == '%') {
      uri += fmt::format("%{:02x}", static_cast<unsigned>(character));
    } else {
      uri += character;
    }
  }
  return uri + "?immutable=1";
}

// Throws SQLite::Exception.
OpenedFile try_open_read_only(const fs::path& path) {
  OpenedFile opened;
  auto database =
      std::make_unique<SQLite::Database>(immutable_uri(path), SQLite::OPEN_READONLY | SQLite::OPEN_URI);
  distrust(*database);
  opened.reason = refuse_reason(*database);
  if (opened.reason.empty()) opened.reason = schema_fault(*database);
  if (opened.reason.empty()) opened.database = std::move(database);
  return opened;
}

}  // namespace

bool is_on_local_file_system(const fs::path& directory) {
  struct statfs status {};
  if (::statfs(directory.c_str(), &status) != 0) return false;
  return std::ranges::count(kLocalFileSystems, static_cast<uint32_t>(status.f_type)) != 0;
}

OpenedFile open_file_database(const fs::path& path, std::chrono::milliseconds busy) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  if (error) return {nullptr, fmt::format("cannot tell where it is: {}", error.message())};
  std::string reason = make_private_directory(absolute.parent_path());
  if (reason.empty()) reason = unsafe_file_reason(absolute);
  if (!reason.empty()) return {nullptr, reason};
  try {
    return try_open(absolute, busy);
  } catch (const SQLite::Exception& failure) {
    return {nullptr, failure.what()};
  }
}

OpenedFile open_read_only_database(const fs::path& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  if (error) return {nullptr, fmt::format("cannot tell where it is: {}", error.message())};
  if (std::string reason = unsafe_file_reason(absolute, true); !reason.empty()) return {nullptr, reason};
  // An immutable file is read without its log: what a writer has not merged yet would be missing, unnoticed.
  if (const auto unmerged = fs::file_size(absolute.string() + "-wal", error); !error && unmerged > 0) {
    return {nullptr,
            fmt::format("{} bytes of {}-wal are not merged: somebody writes to it; give a copy made by "
                        "VACUUM INTO, and replace it by rename",
                        unmerged, absolute.filename().string())};
  }
  try {
    return try_open_read_only(absolute);
  } catch (const SQLite::Exception& failure) {
    return {nullptr, failure.what()};
  }
}

OpenedFile open_packed_database(std::span<const unsigned char> bytes) {
  try {
    OpenedFile opened;
    auto database = std::make_unique<SQLite::Database>(":memory:", SQLite::OPEN_READWRITE);
    distrust(*database);
    // NOTE: read-only, so the bytes are not written to, whatever the type of the parameter says.
    auto* data = const_cast<unsigned char*>(bytes.data());
    const auto size = static_cast<sqlite3_int64>(bytes.size());
    const int status =
        sqlite3_deserialize(database->getHandle(), "main", data, size, size, SQLITE_DESERIALIZE_READONLY);
    if (status != SQLITE_OK) return {nullptr, sqlite3_errstr(status)};
    opened.reason = refuse_reason(*database);
    if (opened.reason.empty()) opened.reason = version_fault(*database);
    if (opened.reason.empty()) opened.reason = schema_fault(*database);
    if (opened.reason.empty()) opened.database = std::move(database);
    return opened;
  } catch (const SQLite::Exception& failure) {
    return {nullptr, failure.what()};
  }
}

std::unique_ptr<SQLite::Database> open_memory_database() {
  try {
    auto database =
        std::make_unique<SQLite::Database>(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    distrust(*database);
    migrate(*database);
    return database;
  } catch (const SQLite::Exception& error) {
    fail(ATTUNE_ERROR_DATABASE, "SQLite cannot keep a database in memory: {}", error.what());
  }
}

}  // namespace attune

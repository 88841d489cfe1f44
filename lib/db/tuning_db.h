// TuningDb: every trial ever made, and which of them to use. A broken or unwritable file never fails the
// caller.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "db/ranking.h"
#include "db/record.h"

namespace SQLite {
class Database;
}

namespace attune {

struct RecordFilter {
  std::optional<std::string> device_key;
  std::optional<std::string> static_key;
  std::optional<std::string> bucket;
  // False: samples stay empty and are not checked either, which is five times as fast.
  bool with_samples = true;
};

// Thread-safe; several may have one file open, in one process or many. When the file is unwritable, corrupt,
// locked, newer than this library or not ours, it is left as it is, one warning is logged and memory takes
// its place, now or at the operation that finds out; what could be read moves along. In a child after fork()
// all of it is lost: SQLite forbids to use or even to close a connection there.
class TuningDb {
 public:
  // Nothing for the path: memory only, which is not a degradation. `busy` is how long to wait for other
  // processes. Throws Error (DATABASE) only when not even memory works.
  static std::unique_ptr<TuningDb> open(const std::optional<std::filesystem::path>& path, const Log& log,
                                        std::chrono::milliseconds busy = std::chrono::seconds(2));

  // A file that others keep, such as a site's: read only, and never waited for. When it is missing, broken,
  // of another schema or could have been written by strangers, one warning is logged and it counts as empty.
  // Throws as open does.
  static std::unique_ptr<TuningDb> open_read_only(const std::filesystem::path& path, const Log& log);

  // A database that pack_records() made, read where it lies: `bytes` must outlive it, and nothing is ever
  // added. Bytes that cannot be used cost one warning, and there are no records.
  static std::unique_ptr<TuningDb> open_packed(std::span<const unsigned char> bytes, const Log& log);
  ~TuningDb();
  TuningDb(const TuningDb&) = delete;
  TuningDb& operator=(const TuningDb&) = delete;

  // Commits one trial at once, so that a crash loses no more than the trial it is in. False, with a warning,
  // when the record says what no trial can (reject_reason), or when the database was opened read-only.
  bool add(Record record);

  // Commits that this process is about to make a trial that it may not survive. Whoever reads the row while
  // this process lives sees nothing; after its death they see a trial that crashed. Returns its id, to be
  // given to end(), or 0 when it is not kept.
  int64_t begin(Record record);
  // The trial has ended; its outcome, if it is to be kept, was added before.
  void end(int64_t id);

  // Commits all of these trials or none. Empty on success; else why none is kept: one says what no trial can,
  // or the file cannot be written. Memory does not take the file's place here, since the caller wants the
  // file.
  std::string add_all(const std::vector<Record>& records);

  // In the order in which they were added; rows that cannot be believed are left out.
  std::vector<Record> records(const RecordFilter& filter = {});

  // The candidates of this bucket on this device that have a time, best first (see rank).
  std::vector<Choice> ranked(const std::string& device_key, const std::string& bucket, const Toolchain& now,
                             std::string_view shape = {});

  // False for a packed database and for one opened read-only.
  bool is_writable() const { return !read_only_; }
  // True while trials reach the file.
  bool is_persistent();
  // Why memory took the file's place; empty when it did not.
  std::string degraded_reason();

 private:
  TuningDb(std::unique_ptr<SQLite::Database> database, std::optional<std::filesystem::path> path,
           bool read_only, std::string degraded_reason, const Log& log);

  bool is_forked() const;
  void degrade(const std::string& reason);
  bool attempt(const std::function<void(SQLite::Database&)>& work);
  void read(SQLite::Database& database, const RecordFilter& filter, std::vector<Record>& records) const;

  const Log log_;
  const std::optional<std::filesystem::path> path_;
  const bool read_only_;
  const pid_t owner_;
  std::mutex mutex_;  // guards what follows
  std::unique_ptr<SQLite::Database> database_;
  bool uses_file_;
  std::string degraded_reason_;
};

}  // namespace attune

#include "tools/inspect_recordings.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "capi/context_options.h"
#include "cli/program.h"
#include "cli/usage_error.h"
#include "db/recorded_problem.h"
#include "db/recording.h"
#include "db/tuning_db.h"
#include "tools/database_file.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

void add_database(CLI::App& command, MachineArguments& machine, std::string& file) {
  machine.add_cache(command);
  command.add_option("--db", file, "the database's file; default tuning.db in the cache directory")
      ->type_name("FILE");
}

fs::path database_file(const MachineArguments& machine, const std::string& file) {
  if (!file.empty()) return file;
  const attune_context_options asked = machine.context_options();
  const std::optional<fs::path> directory = resolve_options(&asked).cache_dir;
  if (!directory) fail_usage("no cache directory, memory only: name a database with --db");
  return database_path(*directory);
}

std::unique_ptr<TuningDb> open(const fs::path& path) {
  std::unique_ptr<TuningDb> database = TuningDb::open(path, Log());
  if (!database->is_persistent()) {
    fail(ATTUNE_ERROR_DATABASE, "tuning database {}: {}", path.string(), database->degraded_reason());
  }
  return database;
}

// The version says which kernels were measured only together with the commit.
void add_commit(std::vector<Record>& records, const std::string& commit) {
  if (commit.empty()) return;
  const bool plain =
      std::ranges::all_of(commit, [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '-'; });
  if (!plain) fail_usage("--commit '{}': letters, digits, dots and dashes only", commit);
  for (Record& record : records) {
    if (record.library_version.find('+') == std::string::npos) record.library_version += "+" + commit;
  }
}

bool is_same_trial(const Record& left, const Record& right) {
  Record copy = left;
  copy.id = right.id;
  return copy == right;
}

}  // namespace

void InspectExport::add_to(CLI::App& command) {
  add_database(command, machine_, file_);
  command.add_option("--device", device_, "only of devices with this in their key, such as H200")
      ->type_name("TEXT");
  command.add_option("--commit", commit_, "the commit that measured; goes into the library's version");
}

int InspectExport::run() const {
  const fs::path path = database_file(machine_, file_);
  std::error_code ignored;
  if (!fs::exists(path, ignored))
    fail(ATTUNE_ERROR_DATABASE, "tuning database {} does not exist", path.string());
  const std::vector<Record> all = open(path)->records();
  std::vector<Record> records = worth_recording(all);
  std::erase_if(records,
                [&](const Record& record) { return record.device_key.find(device_) == std::string::npos; });
  add_commit(records, commit_);
  if (records.empty()) {
    fmt::print(stderr, "attune-inspect: none of {} trials in {} is of a GPU{}\n", all.size(), path.string(),
               device_.empty() ? "" : " with '" + device_ + "' in its key");
    return kExitFailed;
  }
  fmt::print("{}", write_recording(records));
  size_t unknown = 0;
  const size_t problems = recorded_problems(records, &unknown).size();
  fmt::print(stderr, "attune-inspect: {} of {} trials, {} problems with a time; {}\n", records.size(),
             all.size(), problems, provenance_of(records));
  if (unknown > 0)
    fmt::print(stderr, "attune-inspect: {} trials are of problems this version does not know\n", unknown);
  return kExitOk;
}

void InspectImport::add_to(CLI::App& command) {
  add_database(command, machine_, file_);
  command.add_option("recording", recording_, "a file that export wrote")->required()->type_name("FILE");
}

int InspectImport::run() const {
  const std::optional<std::string> text = read_file(recording_);
  if (!text) fail_usage("{}: the file cannot be read", recording_);
  std::vector<Record> records = read_recording(*text, recording_);
  const size_t read = records.size();
  const fs::path path = database_file(machine_, file_);
  const std::unique_ptr<TuningDb> database = open(path);
  const std::vector<Record> known = database->records();
  std::erase_if(records, [&](const Record& record) {
    return std::ranges::any_of(known, [&](const Record& old) { return is_same_trial(record, old); });
  });
  if (const std::string reason = database->add_all(records); !reason.empty()) {
    fail(ATTUNE_ERROR_DATABASE, "{}: nothing of {} is kept: {}", path.string(), recording_, reason);
  }
  fmt::print("{}: {} trials added, {} were there already\n", path.string(), records.size(),
             read - records.size());
  return kExitOk;
}

}  // namespace attune

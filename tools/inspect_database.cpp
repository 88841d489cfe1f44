#include "tools/inspect_database.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include "base/error.h"
#include "capi/context_options.h"
#include "cli/program.h"
#include "cli/usage_error.h"
#include "db/tuning_db.h"
#include "tools/database_file.h"
#include "tools/record_text.h"

namespace attune {
namespace {

// Looking must not create: nothing when there is no database yet.
std::optional<std::vector<Record>> read_records(const MachineArguments& machine) {
  const attune_context_options asked = machine.context_options();
  const std::optional<std::filesystem::path> directory = resolve_options(&asked).cache_dir;
  if (!directory) fail_usage("no cache directory, memory only: nothing is kept that could be inspected");
  const std::filesystem::path path = database_path(*directory);
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    fmt::print("no tuning database yet: {} does not exist; attune-tune or the first plan creates it\n",
               path.string());
    return std::nullopt;
  }
  const std::unique_ptr<TuningDb> database = TuningDb::open(path, Log(ATTUNE_LOG_OFF, nullptr, nullptr));
  if (!database->is_persistent()) {
    fail(ATTUNE_ERROR_DATABASE, "tuning database {}: {}", path.string(), database->degraded_reason());
  }
  std::vector<Record> records = database->records();
  fmt::print("{}: {} trials\n", path.string(), records.size());
  return records;
}

int not_found(const std::vector<Record>& records, const std::string& what) {
  fmt::print(stderr, "attune-inspect: none of {} trials {}\n", records.size(), what);
  return kExitFailed;
}

std::optional<int64_t> number_in(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

}  // namespace

void InspectList::add_to(CLI::App& command) {
  machine_.add_cache(command);
  command.add_flag("--trials", trials_, "every trial instead of the winners");
}

int InspectList::run() const {
  const std::optional<std::vector<Record>> records = read_records(machine_);
  if (records && !records->empty())
    fmt::print("{}", trials_ ? records_table(*records) : winners_table(*records));
  return kExitOk;
}

void InspectShow::add_to(CLI::App& command) {
  machine_.add_cache(command);
  command.add_option("what", what_, "a record's id, or a part of a bucket's or a shape's text")->required();
}

int InspectShow::run() const {
  const std::optional<std::vector<Record>> records = read_records(machine_);
  if (!records) return kExitFailed;
  if (const std::optional<int64_t> id = number_in(what_)) {
    const auto found =
        std::find_if(records->begin(), records->end(), [&](const Record& r) { return r.id == *id; });
    if (found == records->end()) return not_found(*records, fmt::format("has the id {}", *id));
    fmt::print("{}", record_text(*found));
    return kExitOk;
  }
  const std::vector<Record> matching = records_matching(*records, what_);
  if (matching.empty()) return not_found(*records, fmt::format("is about '{}'", what_));
  fmt::print("{}", records_table(matching));
  return kExitOk;
}

}  // namespace attune

#include "db/recording.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "db/record_json.h"
#include "device/keyed_device.h"
#include "space/config.h"

namespace attune {
namespace {

using nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr const char* kVersionKey = "attune_recording";
constexpr const char* kCommonKey = "common";
constexpr const char* kGroupKey = "group";
constexpr size_t kSamplesKept = 12;
constexpr size_t kMaxLineBytes = 64 << 10;

using Group = std::vector<const Record*>;

// Trials that were raced against each other, in the order in which their groups were first seen.
std::vector<Group> grouped(const std::vector<Record>& records) {
  std::vector<Group> groups;
  std::map<std::tuple<std::string, std::string, std::string>, size_t> places;
  for (const Record& record : records) {
    const auto [place, is_new] =
        places.try_emplace({record.device_key, record.bucket, record.shape}, groups.size());
    if (is_new) groups.emplace_back();
    groups[place->second].push_back(&record);
  }
  return groups;
}

// The fields with a value that more than half of the objects have.
ordered_json shared_by_most(const std::vector<ordered_json>& objects) {
  ordered_json common = ordered_json::object();
  for (const auto& field : objects.front().items()) {
    std::map<ordered_json, size_t> counts;
    for (const ordered_json& object : objects)
      ++counts[object[field.key()]];
    const auto most = std::ranges::max_element(counts, {}, [](const auto& item) { return item.second; });
    if (2 * most->second > objects.size()) common[field.key()] = most->first;
  }
  return common;
}

// What `object` has that `base` has not, or has otherwise.
ordered_json difference(const ordered_json& object, const ordered_json& base) {
  ordered_json difference = ordered_json::object();
  for (const auto& field : object.items()) {
    const auto known = base.find(field.key());
    if (known == base.end() || *known != field.value()) difference[field.key()] = field.value();
  }
  return difference;
}

std::string line_of(const ordered_json& object) {
  return object.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

// What the lines read so far say of those to come.
struct Reader {
  std::string_view where;
  size_t line = 0;
  ordered_json common, group;
  std::vector<Record> records = {};

  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "{}:{}: {}", where, line,
         fmt::format(format, std::forward<Args>(args)...));
  }

  void read(std::string_view text) {
    ++line;
    if (text.size() > kMaxLineBytes) refuse("{} bytes, a line has at most {}", text.size(), kMaxLineBytes);
    const ordered_json object = ordered_json::parse(text, nullptr, false);
    if (!object.is_object()) refuse("not a JSON object: {}", text.substr(0, 60));
    if (line == 1) return begin(object);
    if (object.size() == 1 && object.contains(kGroupKey)) {
      group = common;
      return group.update(fields(object, kGroupKey));
    }
    ordered_json trial = group;
    trial.update(object);
    add(trial);
  }

 private:
  void begin(const ordered_json& header) {
    const auto version = header.find(kVersionKey);
    if (version == header.end()) refuse("not a recording of attune's: \"{}\" is missing", kVersionKey);
    if (*version != kVersion) refuse("version {}, this library reads {}", version->dump(), kVersion);
    group = common = fields(header, kCommonKey);
    if (header.size() != 2) refuse("unknown keys beside \"{}\" and \"{}\"", kVersionKey, kCommonKey);
  }

  ordered_json fields(const ordered_json& object, const char* key) const {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_object()) refuse("\"{}\" is not an object", key);
    Record ignored;
    if (const std::string reason = read_record_json(*found, ignored); !reason.empty()) refuse("{}", reason);
    return *found;
  }

  void add(const ordered_json& trial) {
    Record record;
    std::string reason = read_record_json(trial, record);
    if (reason.empty()) reason = reject_reason(record);
    if (!reason.empty()) refuse("{}", reason);
    if (!config_from_string(record.config)) refuse("config '{}' cannot be read", record.config);
    if (!device_of_key(record.device_key)) refuse("device key '{}' cannot be read", record.device_key);
    records.push_back(std::move(record));
  }
};

}  // namespace

std::vector<Record> worth_recording(const std::vector<Record>& records) {
  std::vector<Record> kept;
  std::set<std::tuple<std::string, std::string, std::string, std::string, std::string, std::string>> newer;
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    const bool on_a_gpu =
        !record->device_key.starts_with("simt ") && !record->device_key.starts_with("recorded ");
    if (!on_a_gpu || record->outcome == Outcome::over_budget) continue;
    const bool newest = newer
                            .insert({record->device_key, record->bucket, record->shape, record->family,
                                     record->config, record->compiler})
                            .second;
    if (!newest) continue;
    kept.push_back(*record);
    if (kept.back().samples.size() > kSamplesKept) kept.back().samples.resize(kSamplesKept);
  }
  std::ranges::reverse(kept);
  return kept;
}

std::string write_recording(const std::vector<Record>& records) {
  if (records.empty()) return {};
  std::vector<std::vector<ordered_json>> groups;
  std::vector<ordered_json> all;
  for (const Group& group : grouped(records)) {
    groups.emplace_back();
    for (const Record* record : group) {
      groups.back().push_back(record_to_json(*record));
      all.push_back(groups.back().back());
    }
  }
  const ordered_json common = shared_by_most(all);
  std::string text = line_of({{kVersionKey, kVersion}, {kCommonKey, common}});
  for (const std::vector<ordered_json>& group : groups) {
    const ordered_json own = difference(shared_by_most(group), common);
    text += line_of({{kGroupKey, own}});
    ordered_json shared = common;
    shared.update(own);
    for (const ordered_json& trial : group)
      text += line_of(difference(trial, shared));
  }
  return text;
}

std::vector<Record> read_recording(std::string_view text, std::string_view where) {
  Reader reader{.where = where};
  while (!text.empty()) {
    const size_t end = text.find('\n');
    reader.read(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return std::move(reader.records);
}

}  // namespace attune

#include "tools/record_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <utility>

#include "cli/text_table.h"
#include "cli/units.h"
#include "db/ranking.h"

namespace attune {
namespace {

std::string time_of(const Record& record) {
  return microseconds_with_interval(record.median_seconds, record.ci_low_seconds, record.ci_high_seconds);
}

// The emulator's times say nothing, so they are not shown either.
bool is_emulated(const Record& record) {
  return record.device_key.starts_with("simt ");
}

// The recorded backend measures nothing: what it has been through is a race on older samples.
std::string measured_at(const Record& record) {
  const bool replayed = record.device_key.starts_with("recorded ");
  return replayed ? "replayed " + date_time(record.created) : date_time(record.created);
}

std::string field_text(const std::string& value) {
  return value;
}
std::string field_text(Outcome value) {
  return std::string(name_of(value));
}
std::string field_text(const std::vector<double>& value) {
  return fmt::format("{} samples", value.size());
}
std::string field_text(const std::optional<double>& value) {
  return value ? fmt::format("{}", *value) : "";
}
template <typename Number>
std::string field_text(Number value) {
  return fmt::format("{}", value);
}

// Shape by shape, device by device, in the order in which they were first seen. Plans prefer what was
// measured at their own shape, so that a bucket may have several winners.
std::vector<std::pair<std::string, std::vector<Record>>> by_shape(const std::vector<Record>& records) {
  std::vector<std::pair<std::string, std::vector<Record>>> groups;
  std::map<std::string, size_t> places;
  for (const Record& record : records) {
    const auto [place, is_new] =
        places.emplace(record.device_key + "\n" + record.bucket + "\n" + record.shape, groups.size());
    if (is_new) groups.emplace_back(place->first, std::vector<Record>{});
    groups[place->second].second.push_back(record);
  }
  return groups;
}

}  // namespace

std::string records_table(const std::vector<Record>& records) {
  TextTable table({{"id", true},
                   {"bucket"},
                   {"candidate"},
                   {"outcome"},
                   {"registers", true},
                   {"spills B", true},
                   {"time µs [95 %]", true},
                   {"measured at"},
                   {"device"}});
  for (const Record& record : records) {
    table.add_row({fmt::format("{}", record.id), record.bucket, record.family + " " + record.config,
                   std::string(name_of(record.outcome)),
                   record.registers > 0 ? fmt::format("{}", record.registers) : "",
                   record.registers > 0 ? fmt::format("{}", record.spill_bytes) : "",
                   is_emulated(record) ? "" : time_of(record), measured_at(record), record.device_key});
  }
  return table.text();
}

std::string winners_table(const std::vector<Record>& records) {
  TextTable table({{"id", true},
                   {"problem"},
                   {"winner"},
                   {"time µs [95 %]", true},
                   {"trials", true},
                   {"measured at"},
                   {"device"}});
  for (const auto& [key, group] : by_shape(records)) {
    const Record& newest = group.back();
    // Fresh is what the newest trial's toolchain measured: a table needs no device.
    const std::vector<Choice> ranked = rank(group, {newest.compiler, newest.driver});
    const Record& shown = ranked.empty() ? newest : ranked.front().record;
    table.add_row(
        {fmt::format("{}", shown.id), shown.shape,
         ranked.empty() ? fmt::format("none: {}", name_of(shown.outcome)) : shown.family + " " + shown.config,
         is_emulated(shown) ? "" : time_of(shown), fmt::format("{}", group.size()), measured_at(shown),
         shown.device_key});
  }
  return table.text();
}

std::string record_text(const Record& record) {
  std::vector<std::pair<std::string, std::string>> fields = {{"id", fmt::format("{}", record.id)}};
  for_each_field(record, [&](const char* name, const auto& value) {
    fields.emplace_back(name, field_text(value));
    if (fields.back().first == "created")
      fields.back().second += fmt::format(" ({})", date_time(record.created));
  });
  std::string text;
  for (const auto& [name, value] : fields)
    text += fmt::format("{:<20}{}\n", name, value);
  return text + fmt::format("{:<20}{}\n", "samples_seconds", fmt::join(record.samples, " "));
}

std::vector<Record> records_matching(const std::vector<Record>& records, const std::string& text) {
  std::vector<Record> matching;
  std::copy_if(records.begin(), records.end(), std::back_inserter(matching), [&](const Record& record) {
    return record.bucket.find(text) != std::string::npos || record.shape.find(text) != std::string::npos;
  });
  return matching;
}

}  // namespace attune

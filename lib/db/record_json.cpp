#include "db/record_json.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

namespace attune {
namespace {

using nlohmann::ordered_json;

constexpr double kMicrosecondsPerSecond = 1e6;
constexpr std::string_view kSeconds = "_seconds";

bool is_time(std::string_view name) {
  return name == "samples" || name.ends_with(kSeconds);
}

std::string key_of(std::string_view name) {
  if (name == "samples") return "samples_us";
  if (!name.ends_with(kSeconds)) return std::string(name);
  return std::string(name.substr(0, name.size() - kSeconds.size())) + "_us";
}

// Five significant digits; a whole number is written as one.
ordered_json number(double value) {
  if (!std::isfinite(value)) return "inf";
  const double rounded = std::strtod(fmt::format("{:.5g}", value).c_str(), nullptr);
  constexpr double kExact = 9007199254740992;  // 2^53
  if (rounded == std::floor(rounded) && std::abs(rounded) < kExact) return static_cast<int64_t>(rounded);
  return rounded;
}

struct FieldWriter {
  ordered_json& object;

  void operator()(const char* name, const std::string& text) { object[key_of(name)] = text; }
  void operator()(const char* name, Outcome outcome) { object[key_of(name)] = name_of(outcome); }
  void operator()(const char* name, int value) { object[key_of(name)] = value; }
  void operator()(const char* name, int64_t value) { object[key_of(name)] = value; }
  void operator()(const char* name, double value) { object[key_of(name)] = number(value * unit(name)); }
  void operator()(const char* name, const std::optional<double>& value) {
    object[key_of(name)] = value ? number(*value * unit(name)) : ordered_json();
  }
  void operator()(const char* name, const std::vector<double>& values) {
    ordered_json& array = object[key_of(name)] = ordered_json::array();
    for (const double value : values)
      array.push_back(number(value * unit(name)));
  }

 private:
  static double unit(const char* name) { return is_time(name) ? kMicrosecondsPerSecond : 1; }
};

struct FieldJsonReader {
  const ordered_json& object;
  std::string reason;
  size_t found = 0;

  template <typename Field>
  void operator()(const char* name, Field& field) {
    const auto item = object.find(key_of(name));
    if (item == object.end()) return;
    ++found;
    if (reason.empty() && !load(*item, field, is_time(name))) {
      reason = fmt::format("\"{}\" is {}, which it cannot be", item.key(), item->dump().substr(0, 40));
    }
  }

 private:
  static bool load(const ordered_json& value, std::string& text, bool) {
    if (!value.is_string() || value.get_ref<const std::string&>().size() > kMaxTextBytes) return false;
    text = value.get<std::string>();
    return true;
  }
  static bool load(const ordered_json& value, Outcome& outcome, bool) {
    const std::optional<Outcome> known =
        value.is_string() ? outcome_from_name(value.get_ref<const std::string&>()) : std::nullopt;
    if (known) outcome = *known;
    return known.has_value();
  }
  static bool load(const ordered_json& value, int64_t& field, bool) {
    if (!value.is_number_integer()) return false;
    if (value.is_number_unsigned() && !std::in_range<int64_t>(value.get<uint64_t>())) return false;
    field = value.get<int64_t>();
    return true;
  }
  static bool load(const ordered_json& value, int& field, bool) {
    int64_t wide = 0;
    if (!load(value, wide, false) || !std::in_range<int>(wide)) return false;
    field = static_cast<int>(wide);
    return true;
  }
  static bool load(const ordered_json& value, double& field, bool time) {
    if (value == "inf") {
      field = std::numeric_limits<double>::infinity();
      return true;
    }
    if (!value.is_number()) return false;
    field = value.get<double>() / (time ? kMicrosecondsPerSecond : 1);
    return true;
  }
  static bool load(const ordered_json& value, std::optional<double>& field, bool time) {
    field.reset();
    return value.is_null() || load(value, field.emplace(), time);
  }
  static bool load(const ordered_json& value, std::vector<double>& field, bool time) {
    if (!value.is_array() || value.size() > kMaxSamples) return false;
    field.clear();
    for (const ordered_json& element : value) {
      if (!element.is_number() || !load(element, field.emplace_back(), time)) return false;
    }
    return true;
  }
};

std::string unknown_key(const ordered_json& object) {
  const ordered_json known = record_to_json(Record{});
  for (const auto& item : object.items()) {
    if (!known.contains(item.key())) return item.key().substr(0, 40);
  }
  return {};
}

}  // namespace

ordered_json record_to_json(const Record& record) {
  ordered_json object = ordered_json::object();
  FieldWriter writer{.object = object};
  for_each_field(record, writer);
  return object;
}

std::string read_record_json(const ordered_json& object, Record& record) {
  FieldJsonReader reader{.object = object, .reason = {}};
  for_each_field(record, reader);
  if (reader.reason.empty() && reader.found != object.size()) {
    return fmt::format("\"{}\" is no field of a record", unknown_key(object));
  }
  return reader.reason;
}

}  // namespace attune

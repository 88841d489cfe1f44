#include "db/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace attune {
namespace {

constexpr std::array<std::pair<Outcome, std::string_view>, 8> kOutcomes = {{
    {Outcome::ok, "ok"},
    {Outcome::over_budget, "over_budget"},
    {Outcome::compile_failed, "compile_failed"},
    {Outcome::launch_failed, "launch_failed"},
    {Outcome::wrong_result, "wrong_result"},
    {Outcome::timed_out, "timed_out"},
    {Outcome::crashed, "crashed"},
    {Outcome::running, "running"},
}};

bool is_control(char character) {
  const auto code = static_cast<unsigned char>(character);
  return code < 0x20 || code == 0x7f;
}

// Says what is wrong with one field; one overload per type.
struct FieldCheck {
  std::string reason;

  void operator()(const char* name, const std::string& text) {
    if (text.size() > kMaxTextBytes) return say("{} has {} > {} bytes", name, text.size(), kMaxTextBytes);
    // Texts reach terminals and logs, so no escape sequences; line ends only where people's messages have
    // them.
    const bool is_message = std::string_view(name) == "reason";
    for (const char character : text) {
      if (is_control(character) && !(is_message && (character == '\n' || character == '\t'))) {
        return say("{} holds control character {:#x}", name, static_cast<unsigned char>(character));
      }
    }
  }
  void operator()(const char* name, Outcome outcome) {
    if (name_of(outcome).empty()) say("{} {} is unknown", name, static_cast<int>(outcome));
  }
  void operator()(const char* name, int64_t value) {
    if (value < 0) say("{} is {} < 0", name, value);
  }
  void operator()(const char* name, int value) { (*this)(name, int64_t{value}); }
  void operator()(const char* name, double value) {
    const bool may_be_infinite = std::string_view(name) == "max_error";
    if (std::isnan(value) || value < 0 || (std::isinf(value) && !may_be_infinite))
      say("{} is {}", name, value);
  }
  void operator()(const char* name, const std::optional<double>& value) {
    if (value) (*this)(name, *value);
  }
  void operator()(const char* name, const std::vector<double>& values) {
    if (values.size() > kMaxSamples) return say("{} has {} > {} values", name, values.size(), kMaxSamples);
    for (const double value : values)
      (*this)(name, value);
  }

 private:
  template <typename... Args>
  void say(fmt::format_string<Args...> format, Args&&... args) {
    if (reason.empty()) reason = fmt::format(format, std::forward<Args>(args)...);
  }
};

std::string timing_reason(const Record& record) {
  if (record.median_seconds == 0) {
    const bool untimed = record.ci_low_seconds == 0 && record.ci_high_seconds == 0;
    return untimed ? "" : "it has a confidence interval but no median";
  }
  const bool ordered = record.ci_low_seconds > 0 && record.ci_low_seconds <= record.median_seconds &&
                       record.median_seconds <= record.ci_high_seconds;
  if (ordered) return {};
  return fmt::format("median {} s is not within its confidence interval {} to {} s", record.median_seconds,
                     record.ci_low_seconds, record.ci_high_seconds);
}

}  // namespace

std::string_view name_of(Outcome outcome) {
  for (const auto& [value, name] : kOutcomes) {
    if (value == outcome) return name;
  }
  return {};
}

std::optional<Outcome> outcome_from_name(std::string_view name) {
  for (const auto& [value, known] : kOutcomes) {
    if (known == name) return value;
  }
  return std::nullopt;
}

bool is_of(const Record& record, const Candidate& candidate) {
  return record.family == candidate.family->name() && record.config == to_string(candidate.config);
}

std::string source_mark(std::string_view source_hash) {
  return fmt::format("source {}", source_hash);
}

void tidy(Record& record) {
  if (record.reason.size() > kMaxTextBytes) {
    size_t end = kMaxTextBytes;
    // Do not cut a UTF-8 character in two: step back over its continuation bytes.
    while (end > 0 && (static_cast<unsigned char>(record.reason[end]) & 0xc0) == 0x80)
      --end;
    record.reason.resize(end);
  }
  for (char& character : record.reason) {
    if (is_control(character) && character != '\n' && character != '\t') character = ' ';
  }
  if (std::isnan(record.max_error)) record.max_error = std::numeric_limits<double>::infinity();
}

std::string reject_reason(const Record& record) {
  FieldCheck check;
  for_each_field(record, check);
  if (!check.reason.empty()) return check.reason;
  const std::pair<const char*, const std::string&> required[] = {{"device_key", record.device_key},
                                                                 {"static_key", record.static_key},
                                                                 {"bucket", record.bucket},
                                                                 {"family", record.family}};
  for (const auto& [name, value] : required) {
    if (value.empty()) return fmt::format("{} is empty", name);
  }
  return timing_reason(record);
}

}  // namespace attune

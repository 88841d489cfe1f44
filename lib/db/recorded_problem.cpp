#include "db/recorded_problem.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "device/keyed_device.h"

namespace attune {
namespace {

std::string_view take_word(std::string_view& text) {
  const size_t end = text.find(' ');
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return word;
}

// The enumerator of that name. There is no list of them, but name_of() has a name for each, and every one is
// small.
template <typename Enum>
std::optional<Enum> enumerator_of(std::string_view name) {
  if (name == name_of(static_cast<Enum>(-1))) return std::nullopt;  // what name_of says of none
  for (int value = 0; value < 32; ++value) {
    if (name_of(static_cast<Enum>(value)) == name) return static_cast<Enum>(value);
  }
  return std::nullopt;
}

// "d128" with the prefix "d".
bool take_number(std::string_view word, std::string_view prefix, int64_t& value) {
  if (!word.starts_with(prefix)) return false;
  word.remove_prefix(prefix.size());
  int64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size()) return false;
  value = number;
  return true;
}

// Words that are not understood are passed over; that the texts are the same again decides.
bool take_static_fields(std::string_view key, Problem& problem) {
  const std::optional<Operation> operation = enumerator_of<Operation>(take_word(key));
  const std::optional<DType> dtype = enumerator_of<DType>(take_word(key));
  if (!operation || !dtype) return false;
  problem.operation = *operation;
  problem.dtype = *dtype;
  while (!key.empty()) {
    const std::string_view word = take_word(key);
    if (take_number(word, "dv", problem.head_dim_v) || take_number(word, "d", problem.head_dim)) continue;
    if (const std::optional<Mask> mask = enumerator_of<Mask>(word)) problem.mask = *mask;
  }
  return true;
}

std::string day_of(int64_t unix_seconds) {
  constexpr int64_t kYear10000 = 253402300800;  // beyond it, a stranger's number cannot be printed
  return fmt::format("{:%Y-%m-%d}",
                     fmt::gmtime(static_cast<std::time_t>(std::min(unix_seconds, kYear10000 - 1))));
}

std::string first_and_last(const std::map<std::string, size_t>& values) {
  const std::string& first = values.begin()->first;
  const std::string& last = values.rbegin()->first;
  return first == last ? first : fmt::format("{} to {}", first, last);
}

}  // namespace

std::optional<Problem> problem_of(const Record& record) {
  Problem problem;
  if (!take_static_fields(record.static_key, problem)) return std::nullopt;
  problem.batch = record.batch;
  problem.heads_q = record.heads_q;
  problem.heads_kv = record.heads_kv;
  problem.seqlen_q = record.seqlen_q;
  problem.seqlen_kv = record.seqlen_kv;
  try {
    validate(problem);
  } catch (const Error&) {
    return std::nullopt;
  }
  const bool same = static_key(problem) == record.static_key && describe(problem) == record.shape;
  return same ? std::optional(problem) : std::nullopt;
}

std::vector<RecordedProblem> recorded_problems(const std::vector<Record>& records, size_t* unknown) {
  std::vector<RecordedProblem> problems;
  std::map<std::tuple<std::string, std::string, std::string>, size_t> places;
  for (const Record& record : records) {
    const std::optional<Problem> problem = problem_of(record);
    if (!problem) {
      if (unknown) ++*unknown;
      continue;
    }
    const auto [place, is_new] =
        places.try_emplace({record.device_key, record.bucket, record.shape}, problems.size());
    if (is_new) problems.push_back({.device_key = record.device_key, .problem = *problem});
    problems[place->second].records.push_back(record);
  }
  for (RecordedProblem& problem : problems) {
    // Pruned candidates asked no compiler.
    const auto newest = std::ranges::find_if(problem.records.rbegin(), problem.records.rend(),
                                             [](const Record& r) { return r.outcome == Outcome::ok; });
    if (newest == problem.records.rend()) continue;
    problem.ranked = rank(problem.records, {newest->compiler, newest->driver});
  }
  std::erase_if(problems, [](const RecordedProblem& problem) { return problem.ranked.empty(); });
  return problems;
}

std::string provenance_of(const std::vector<Record>& records) {
  if (records.empty()) return "nothing recorded";
  std::map<std::string, size_t> devices, days, versions, drivers;
  for (const Record& record : records) {
    const std::optional<KeyedDevice> device = device_of_key(record.device_key);
    ++devices[device ? device->spec.name : record.device_key];
    ++days[day_of(record.created)];
    ++versions["attune " + record.library_version];
    ++drivers[record.driver];
  }
  return fmt::format("{}, {}, {}, {}", first_and_last(devices), first_and_last(days),
                     first_and_last(versions), first_and_last(drivers));
}

}  // namespace attune

#include "db/ranking.h"

#include <algorithm>
#include <map>
#include <ranges>
#include <tuple>
#include <utility>

namespace attune {
namespace {

// Image and family only make the order total.
auto tie_key(const Record& record) {
  return std::tie(record.shared_bytes, record.registers, record.config, record.family, record.image_hash);
}

bool wins_tie(const Record* left, const Record* right) {
  return tie_key(*left) < tie_key(*right);
}

// No shape: nothing is measured there.
bool is_at(const Record& record, std::string_view shape) {
  return !shape.empty() && record.shape == shape;
}

// The newest trial of each candidate, where it gave a time. In one bucket a family, a config and a compiler
// make one image, so another image means that the templates have changed since: the time of the old one is
// gone with it. An older one at the shape that is asked about stands in for a newer one elsewhere, but only
// of the same code and driver.
std::vector<const Record*> timed_candidates(const std::vector<Record>& records, std::string_view shape) {
  std::map<std::tuple<std::string, std::string, std::string>, const Record*> newest;
  for (const Record& record : records | std::views::reverse) {
    const Record*& known = newest[{record.family, record.config, record.compiler}];
    const bool stands_in = known && is_at(*known, shape) < is_at(record, shape) &&
                           record.image_hash == known->image_hash &&
                           major_of(record.driver) == major_of(known->driver);
    if (!known || stands_in) known = &record;
  }
  std::vector<const Record*> timed;
  for (const auto& [candidate, record] : newest) {
    if (record->outcome == Outcome::ok && record->median_seconds > 0) timed.push_back(record);
  }
  return timed;
}

bool lost_early(const Record& record) {
  return record.lost_to_seconds > 0;
}

// Trials of one bucket may have measured different shapes, so times are compared by unit of work: a pair of
// query and key. What else the work depends on is the same in a bucket.
double pairs_of(const Record& record) {
  const auto at_least_one = [](int64_t value) { return static_cast<double>(std::max<int64_t>(1, value)); };
  return at_least_one(record.batch) * at_least_one(record.heads_q) * at_least_one(record.seqlen_q) *
         at_least_one(record.seqlen_kv);
}

// What a candidate takes for a pair, as far as it is known: not less than what it lost to.
double seconds_of(const Record& record) {
  return std::max(record.median_seconds, record.lost_to_seconds) / pairs_of(record);
}

// A trial of few samples has a wide interval; what it may cost to prefer it is bounded.
constexpr double kLargestTie = 0.02;

void append_ranked(std::vector<const Record*> rest, bool fresh, std::vector<Choice>& choices) {
  std::ranges::sort(rest, [](const Record* left, const Record* right) {
    if (seconds_of(*left) != seconds_of(*right)) return seconds_of(*left) < seconds_of(*right);
    if (lost_early(*left) != lost_early(*right)) return lost_early(*right);
    return wins_tie(left, right);
  });
  while (!rest.empty()) {
    const double lowest_median = seconds_of(*rest.front());
    auto winner = rest.begin();
    for (auto other = rest.begin(); other != rest.end(); ++other) {
      const bool ties = !lost_early(**other) &&
                        (*other)->ci_low_seconds / pairs_of(**other) <= lowest_median &&
                        seconds_of(**other) <= (1 + kLargestTie) * lowest_median;
      if (ties && wins_tie(*other, *winner)) winner = other;
    }
    choices.push_back({.record = **winner, .fresh = fresh, .seconds_per_pair = seconds_of(**winner)});
    rest.erase(winner);
  }
}

}  // namespace

std::string_view major_of(std::string_view version) {
  const size_t first = version.find_first_of("0123456789");
  if (first == std::string_view::npos) return version;
  return version.substr(0, version.find_first_not_of("0123456789", first));
}

bool is_fresh(const Record& record, const Toolchain& now) {
  return record.compiler == now.compiler && major_of(record.driver) == major_of(now.driver);
}

std::vector<Choice> rank(const std::vector<Record>& records, const Toolchain& now, std::string_view shape) {
  std::vector<const Record*> fresh, stale, fresh_elsewhere, stale_elsewhere;
  for (const Record* record : timed_candidates(records, shape)) {
    if (is_at(*record, shape))
      (is_fresh(*record, now) ? fresh : stale).push_back(record);
    else
      (is_fresh(*record, now) ? fresh_elsewhere : stale_elsewhere).push_back(record);
  }
  std::vector<Choice> choices;
  append_ranked(std::move(fresh), true, choices);
  append_ranked(std::move(fresh_elsewhere), true, choices);
  append_ranked(std::move(stale), false, choices);
  append_ranked(std::move(stale_elsewhere), false, choices);
  return choices;
}

}  // namespace attune

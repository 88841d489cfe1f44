#include "dispatch/length_classes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "problem/bucket.h"

namespace attune {
namespace {

// Ranking calls times within 2 % a tie; a second kernel in a plan must be worth more.
constexpr double kLeastGain = 0.02;
// Execute looks through them one by one.
constexpr size_t kMostClasses = 32;

size_t order_of(std::string_view waves) {
  return static_cast<size_t>(std::ranges::find(kWaveClasses, waves) - kWaveClasses.begin());
}

// The class that the neighbour's records measured. Not read out of the bucket's text, which is a stranger's;
// nothing when no record has a shape of its own bucket (a timing made smaller for lack of memory may have
// left it).
std::optional<LengthClass> class_of(const Neighbour& neighbour, const Problem& capacity,
                                    int multiprocessors) {
  for (const Record& record : neighbour.records) {
    if (record.heads_kv < 1 || record.heads_q < 1) continue;
    Problem shape = capacity;
    shape.batch = record.batch, shape.heads_q = record.heads_q, shape.heads_kv = record.heads_kv;
    shape.seqlen_q = record.seqlen_q, shape.seqlen_kv = record.seqlen_kv;
    try {
      validate(shape);
    } catch (const Error&) {
      continue;
    }
    if (bucket_key(shape, multiprocessors) == record.bucket) return length_class_of(shape, multiprocessors);
  }
  return std::nullopt;
}

// Whether an execution within capacity can be of this class.
bool is_within(const LengthClass& wanted, const Problem& capacity, int multiprocessors) {
  Problem largest = capacity;
  largest.seqlen_q = std::min(capacity.seqlen_q, wanted.seqlen_q);
  return wanted.seqlen_q <= length_class(capacity.seqlen_q) &&
         wanted.seqlen_kv <= length_class(capacity.seqlen_kv) &&
         order_of(wanted.waves) <= order_of(wave_class(largest, multiprocessors));
}

// How much faster the neighbour's candidate is than the chosen one was there; just worth it where that was
// not timed.
double gain_of(const Neighbour& neighbour, const Candidate& chosen) {
  const auto seconds = [&](const Candidate& candidate) -> std::optional<double> {
    const auto choice = std::ranges::find_if(
        neighbour.choices, [&](const Choice& known) { return is_of(known.record, candidate); });
    if (choice == neighbour.choices.end()) return std::nullopt;
    return choice->seconds_per_pair;
  };
  const std::optional<double> before = seconds(chosen), after = seconds(neighbour.candidate);
  return before && after ? std::log(*before / *after) : kLeastGain;
}

}  // namespace

LengthClass length_class_of(const Problem& problem, int multiprocessors) {
  return {.seqlen_q = length_class(problem.seqlen_q),
          .seqlen_kv = length_class(problem.seqlen_kv),
          .waves = wave_class(problem, multiprocessors)};
}

std::string to_string(const LengthClass& length_class) {
  return fmt::format("Nq<={} Nk<={} waves{}", length_class.seqlen_q, length_class.seqlen_kv,
                     length_class.waves);
}

std::vector<LengthChoice> length_choices(const Problem& capacity, const Candidate& chosen,
                                         std::span<const Neighbour> neighbours, int multiprocessors) {
  std::vector<LengthChoice> choices;
  if (capacity.single_config) return choices;
  size_t classes = 0;
  for (const Neighbour& neighbour : neighbours) {
    const Candidate& candidate = neighbour.candidate;
    if (candidate.family == chosen.family && candidate.config == chosen.config) continue;
    const double gain = gain_of(neighbour, chosen);
    if (gain < kLeastGain || classes >= kMostClasses) continue;
    std::optional<LengthClass> wanted = class_of(neighbour, capacity, multiprocessors);
    if (!wanted || !is_within(*wanted, capacity, multiprocessors)) continue;
    auto choice = std::ranges::find_if(choices, [&](const LengthChoice& known) {
      return known.candidate.family == candidate.family && known.candidate.config == candidate.config;
    });
    if (choice == choices.end()) choice = choices.insert(choice, {.candidate = candidate});
    choice->classes.push_back(std::move(*wanted));
    choice->gain += gain;
    ++classes;
  }
  std::ranges::stable_sort(choices, std::ranges::greater(), &LengthChoice::gain);
  return choices;
}

}  // namespace attune

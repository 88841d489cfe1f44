#include "db/near.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "problem/bucket.h"

namespace attune {
namespace {

// Between two numbers that may be 0.
double log2_difference(double left, double right) {
  return std::abs(std::log2(std::max(1.0, left)) - std::log2(std::max(1.0, right)));
}

double tiles(int64_t batch, int64_t heads_q, int64_t seqlen_q) {
  // In double: the numbers of a record are a stranger's, and their product may overflow.
  return static_cast<double>(batch) * static_cast<double>(heads_q) *
         std::ceil(static_cast<double>(seqlen_q) / kWaveTileRows);
}

}  // namespace

double log2_distance(const Problem& problem, const Record& record) {
  const auto number = [](int64_t length) { return static_cast<double>(length); };
  return log2_difference(number(problem.seqlen_q), number(record.seqlen_q)) +
         log2_difference(number(problem.seqlen_kv), number(record.seqlen_kv)) +
         log2_difference(tiles(problem.batch, problem.heads_q, problem.seqlen_q),
                         tiles(record.batch, record.heads_q, record.seqlen_q));
}

std::vector<NearBucket> near_buckets(const std::vector<Record>& records, const Problem& problem,
                                     const std::string& own_bucket) {
  constexpr double kNothingTimed = std::numeric_limits<double>::infinity();
  std::map<std::string, NearBucket> by_bucket;
  for (const Record& record : records) {
    if (record.bucket == own_bucket) continue;
    NearBucket& near =
        by_bucket.try_emplace(record.bucket, NearBucket{kNothingTimed, record.bucket, {}}).first->second;
    if (record.outcome == Outcome::ok && record.median_seconds > 0)
      near.distance = std::min(near.distance, log2_distance(problem, record));
    near.records.push_back(record);
  }
  std::vector<NearBucket> buckets;
  for (auto& [text, near] : by_bucket) {
    if (near.distance < kNothingTimed) buckets.push_back(std::move(near));
  }
  std::ranges::stable_sort(buckets, {}, &NearBucket::distance);
  return buckets;
}

}  // namespace attune

#include "db/near.h"

#include <cmath>
#include <cstdint>
#include <limits>

#include "db/fixtures.h"
#include "support/catch.h"

using namespace attune;
using attune::db_test::sample_record;

namespace {

const Problem kProblem{.batch = 2, .heads_q = 32, .heads_kv = 8, .seqlen_q = 4096, .seqlen_kv = 4096};

Record record_of(const std::string& bucket, int64_t batch, int64_t seqlen_q, int64_t seqlen_kv) {
  Record record = sample_record();
  record.bucket = bucket;
  record.batch = batch;
  record.heads_q = 32;
  record.seqlen_q = seqlen_q;
  record.seqlen_kv = seqlen_kv;
  return record;
}

}  // namespace

TEST_CASE("the distance adds up the octaves of queries, keys and waves") {
  CHECK(log2_distance(kProblem, record_of("", 2, 4096, 4096)) == 0);
  CHECK(log2_distance(kProblem, record_of("", 2, 4096, 8192)) == Approx(1));
  CHECK(log2_distance(kProblem, record_of("", 1, 4096, 4096)) == Approx(1));  // half the waves
  CHECK(log2_distance(kProblem, record_of("", 2, 2048, 4096)) ==
        Approx(2));  // half the queries, half the waves
  CHECK(log2_distance(kProblem, record_of("", 4, 2048, 1024)) == Approx(3));
  // Rows of one tile make the same waves.
  Problem decode = kProblem;
  decode.seqlen_q = 1;
  CHECK(log2_distance(decode, record_of("", 2, 128, 4096)) == Approx(7));
}

TEST_CASE("numbers that nobody can have measured are merely far away") {
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  const double far = log2_distance(kProblem, record_of("", kHuge, kHuge, kHuge));
  CHECK(std::isfinite(far));
  CHECK(far > 100);
  CHECK(std::isfinite(log2_distance(kProblem, record_of("", 0, 0, 0))));
  CHECK(std::isfinite(log2_distance({.batch = 0, .seqlen_q = 0, .seqlen_kv = 0}, record_of("", 1, 1, 1))));
}

TEST_CASE("buckets come nearest first, without the problem's own and without those where nothing was timed") {
  Record failed = record_of("failed", 2, 4096, 4096);
  failed.outcome = Outcome::wrong_result;
  Record untimed = record_of("untimed", 2, 4096, 4096);
  untimed.median_seconds = untimed.ci_low_seconds = untimed.ci_high_seconds = 0;
  const std::vector<NearBucket> buckets =
      near_buckets({record_of("far", 2, 64, 64), record_of("z", 2, 4096, 8192),
                    record_of("own", 2, 4096, 4096), failed, untimed, record_of("near", 8, 4096, 4096),
                    record_of("near", 2, 4096, 6000), record_of("a", 2, 4096, 2048)},
                   kProblem, "own");
  std::vector<std::string> order;
  for (const NearBucket& bucket : buckets)
    order.push_back(bucket.bucket);
  CHECK(order == std::vector<std::string>{"near", "a", "z", "far"});
  CHECK(buckets[0].records.size() == 2);
  CHECK(buckets[0].distance == Approx(std::log2(6000.0 / 4096)));
}

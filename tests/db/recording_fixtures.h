// Records of problems that exist, as the recording room's neighbours write them.
#pragma once

#include <fmt/format.h>

#include <limits>
#include <string>
#include <vector>

#include "db/fixtures.h"
#include "problem/bucket.h"

namespace attune::db_test {

inline const std::string kGpu = "cuda sm_90 NVIDIA H200 x132";

inline Problem attention(int64_t length) {
  return {.mask = Mask::causal,
          .batch = 2,
          .heads_q = 32,
          .heads_kv = 8,
          .seqlen_q = length,
          .seqlen_kv = length,
          .head_dim = 128,
          .head_dim_v = 128};
}

inline Record recorded(const Problem& problem, const std::string& config, double median) {
  Record record = sample_record(config, median);
  record.device_key = kGpu;
  record.static_key = static_key(problem);
  record.bucket = bucket_key(problem, 132);
  record.batch = problem.batch;
  record.heads_q = problem.heads_q;
  record.heads_kv = problem.heads_kv;
  record.seqlen_q = problem.seqlen_q;
  record.seqlen_kv = problem.seqlen_kv;
  record.shape = describe(problem);
  return record;
}

// Two problems with a few trials each, failed ones among them.
inline std::vector<Record> small_recording() {
  std::vector<Record> records;
  for (const int64_t length : {4096, 512}) {
    for (const int n : {32, 64, 128})
      records.push_back(recorded(attention(length), fmt::format("BLOCK_M=64 BLOCK_N={}", n), 1e-3 / n));
    Record wrong = recorded(attention(length), "BLOCK_M=128 BLOCK_N=64", 0);
    wrong.samples.clear();
    wrong.outcome = Outcome::wrong_result;
    wrong.reason = "tile 3: error 'x' \"y\"\n\xce\xbb";
    wrong.max_error = std::numeric_limits<double>::infinity();
    wrong.clock_hz = std::nullopt;
    records.push_back(wrong);
  }
  return records;
}

}  // namespace attune::db_test

#include "db/recorded_problem.h"

#include "db/recording_fixtures.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::db_test;

TEST_CASE("a record's problem is found again") {
  Problem softmax{.operation = Operation::row_softmax, .dtype = DType::f32, .seqlen_q = 40, .seqlen_kv = 100};
  Problem uneven = attention(203);
  uneven.dtype = DType::f16;
  uneven.mask = Mask::none;
  uneven.seqlen_kv = 97;
  uneven.head_dim = uneven.head_dim_v = 96;
  Problem stage = attention(512);
  stage.operation = Operation::backward_dkv;
  for (const Problem& problem : {attention(4096), uneven, softmax, stage}) {
    CAPTURE(describe(problem));
    const std::optional<Problem> found = problem_of(recorded(problem, "A=1", 1e-3));
    REQUIRE(found);
    CHECK(describe(*found) == describe(problem));
    CHECK(static_key(*found) == static_key(problem));
  }
}

TEST_CASE("a record whose texts do not fit has no problem") {
  const Record good = recorded(attention(512), "A=1", 1e-3);
  REQUIRE(problem_of(good));
  std::vector<Record> bad(9, good);
  bad[0].static_key = "forward bf16 d64 dv128 group4 causal";
  bad[1].static_key += " telepathy";
  bad[2].static_key = "sideways bf16 d128 dv128 group4 causal";
  bad[3].static_key = "";
  bad[4].shape += " or so";
  bad[5].heads_kv = 0;
  bad[6].heads_q = 33;
  bad[7].seqlen_q = INT64_MAX;
  bad[8].static_key = "forward bf16 d99999999999999999999 dv128 group4 causal";
  for (size_t i = 0; i < bad.size(); ++i) {
    CAPTURE(i);
    CHECK_FALSE(problem_of(bad[i]));
  }
}

TEST_CASE("recorded problems have their trials and their winner") {
  std::vector<Record> records = small_recording();
  Record strange = records[0];
  strange.static_key += " telepathy";
  Record failed = recorded(attention(64), "BLOCK_M=64 BLOCK_N=32", 0);
  failed.samples.clear();
  failed.outcome = Outcome::launch_failed;
  records.push_back(strange);
  records.push_back(failed);
  size_t unknown = 0;
  const std::vector<RecordedProblem> problems = recorded_problems(records, &unknown);
  CHECK(unknown == 1);
  REQUIRE(problems.size() == 2);  // nothing was timed of the third
  CHECK(problems[0].problem == attention(4096));
  CHECK(problems[1].problem == attention(512));
  for (const RecordedProblem& problem : problems) {
    CHECK(problem.device_key == kGpu);
    CHECK(problem.records.size() == 4);
    REQUIRE(problem.ranked.size() == 3);
    CHECK(problem.ranked.front().record.config == "BLOCK_M=64 BLOCK_N=128");
    CHECK(problem.ranked.front().fresh);
  }
}

TEST_CASE("provenance says where, when and by what") {
  std::vector<Record> records = small_recording();
  for (Record& record : records)
    record.library_version = "0.1.0+8fe8cd2";
  CHECK(provenance_of(records) == "NVIDIA H200, 2023-11-14, attune 0.1.0+8fe8cd2, driver 580.65 nvrtc 13.0");
  records[3].created += 3 * 86400;
  records[4].library_version = "0.1.0+aaaaaaa";
  CHECK(provenance_of(records) ==
        "NVIDIA H200, 2023-11-14 to 2023-11-17, attune 0.1.0+8fe8cd2 to attune 0.1.0+aaaaaaa, driver 580.65 "
        "nvrtc "
        "13.0");
  records[3].created = INT64_MAX;
  CHECK(provenance_of(records).find("9999-12-31") != std::string::npos);
  CHECK(provenance_of({}) == "nothing recorded");
}

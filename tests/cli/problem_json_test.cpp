#include <nlohmann/json.hpp>

#include "cli/problem_json.h"
#include "cli/usage_error.h"
#include "support/catch.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr const char* kFull =
    R"({"op": "fwd", "dtype": "f16", "b": 2, "hq": 8, "hkv": 2, "nq": 128, "nk": 256, "d_qk": 64, "d_v": 64,
        "causal": true, "deterministic": true})";

std::vector<Problem> read(const std::string& text) {
  return problems_from_json(text, "p.json");
}

}  // namespace

TEST_CASE("a problem of JSON has the names of bench/results") {
  const Problem problem = read(kFull).at(0);
  CHECK(describe(problem) == "forward f16 B=2 Hq=8 Hkv=2 Nq=128 Nk=256 D=64 causal");
  CHECK(problem.deterministic);
}

TEST_CASE("problems survive the way to JSON and back") {
  const Problem problem = read(kFull).at(0);
  CHECK(read(problem_to_json(problem).dump()) == std::vector{problem});
  const Problem softmax{
      .operation = Operation::row_softmax, .dtype = DType::f32, .seqlen_q = 7, .seqlen_kv = 9};
  CHECK(read(problem_to_json(softmax).dump()) == std::vector{softmax});
  for (const Operation operation :
       {Operation::backward, Operation::backward_delta, Operation::backward_dkv, Operation::backward_dq}) {
    const Problem backward{.operation = operation, .seqlen_q = 7, .seqlen_kv = 9};
    CHECK(read(problem_to_json(backward).dump()) == std::vector{backward});
  }
  CHECK(problem_to_json({.operation = Operation::backward})["op"] == "bwd");
}

TEST_CASE("what may be missing has a default") {
  const Problem problem = read(R"({"b": 1, "hq": 4, "nq": 5, "nk": 6, "d_qk": 32})").at(0);
  CHECK(describe(problem) == "forward bf16 B=1 Hq=4 Hkv=4 Nq=5 Nk=6 D=32");
  CHECK(describe(read(R"({"op": "row_softmax", "b": 1, "nq": 5, "nk": 6})").at(0)) ==
        "row_softmax f32 B=1 H=1 rows=5 columns=6");
}

TEST_CASE("a result file of bench is a list of problems, each once") {
  const std::string row =
      R"({"b": 1, "hq": 4, "nq": 5, "nk": 6, "d_qk": 32, "tflops": {"attune": [1.5]}, "config": "x",
                              "match": "exact", "error": null, "timing": "replay", "setup_seconds": {}})";
  CHECK(read(R"({"gpu": "some", "rows": [)" + row + ", " + row + ", " + kFull + "]}").size() == 2);
}

TEST_CASE("what is wrong with a file is named with its place") {
  CHECK_THROWS_WITH(read("{"), ContainsSubstring("p.json: not JSON"));
  CHECK_THROWS_WITH(read("[]"), ContainsSubstring("empty"));
  CHECK_THROWS_WITH(read("[1]"), ContainsSubstring("p.json[0]: 1 is not an object"));
  CHECK_THROWS_WITH(read(R"({"hq": 4})"), ContainsSubstring("\"b\" is missing"));
  CHECK_THROWS_WITH(read(R"({"b": "1"})"), ContainsSubstring("\"1\" is not an integer"));
  CHECK_THROWS_WITH(read(R"({"b": 1.5})"), ContainsSubstring("1.5 is not an integer"));
  CHECK_THROWS_WITH(read(R"({"causal": 1})"), ContainsSubstring("1 is not true or false"));
  CHECK_THROWS_WITH(read(R"({"op": "up"})"), ContainsSubstring("p.json: \"op\": operation 'up'"));
  CHECK_THROWS_WITH(read(R"({"heads": 4})"), ContainsSubstring("unknown key \"heads\"; there are op, dtype"));
  CHECK_THROWS_WITH(
      read(std::string("[") + kFull + R"(, {"b": 1, "hq": 3, "hkv": 2, "nq": 5, "nk": 6, "d_qk": 32}])"),
      ContainsSubstring("p.json[1]: heads_q = 3"));
  CHECK_THROWS_AS(read(R"({"b": 0, "hq": 4, "nq": 5, "nk": 6, "d_qk": 32})"), UsageError);
}

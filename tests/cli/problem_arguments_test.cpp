#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "base/files.h"
#include "cli/problem_arguments.h"
#include "cli/usage_error.h"
#include "support/catch.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

namespace {

std::vector<Problem> parse(const std::string& line) {
  CLI::App app;
  ProblemArguments arguments;
  arguments.add_to(app);
  app.parse(line);
  return arguments.problems();
}

}  // namespace

TEST_CASE("without options the problem has a sensible size") {
  const Problem expected{.batch = 2,
                         .heads_q = 32,
                         .heads_kv = 32,
                         .seqlen_q = 4096,
                         .seqlen_kv = 4096,
                         .head_dim = 128,
                         .head_dim_v = 128};
  CHECK(parse("") == std::vector{expected});
}

TEST_CASE("every part of a problem has an option") {
  const std::vector<Problem> problems = parse(
      "--op forward --dtype f16 --batch 3 --heads-q 12 --heads-kv 4 --seqlen-q 77 --seqlen-kv 1025 "
      "--head-dim 64 --causal");
  CHECK(describe(problems.at(0)) == "forward f16 B=3 Hq=12 Hkv=4 Nq=77 Nk=1025 D=64 causal");
}

TEST_CASE("one length sets both, and the special one wins") {
  CHECK(describe(parse("--seqlen 100").at(0)) == "forward bf16 B=2 Hq=32 Hkv=32 Nq=100 Nk=100 D=128");
  CHECK(describe(parse("--seqlen 100 --seqlen-q 1").at(0)) ==
        "forward bf16 B=2 Hq=32 Hkv=32 Nq=1 Nk=100 D=128");
}

TEST_CASE("row_softmax has defaults of its own") {
  CHECK(describe(parse("--op row_softmax --batch 1 --seqlen-kv 300").at(0)) ==
        "row_softmax f32 B=1 H=1 rows=4096 columns=300");
}

TEST_CASE("backward and its stages are problems, and stages() has what can be tuned") {
  CHECK(describe(parse("--op backward --seqlen 100").at(0)) ==
        "backward bf16 B=2 Hq=32 Hkv=32 Nq=100 Nk=100 D=128");
  CHECK(parse("--op bwd") == parse("--op backward"));
  CHECK(parse("--op backward_dq").at(0).operation == Operation::backward_dq);
  CLI::App app;
  ProblemArguments arguments;
  arguments.add_to(app);
  app.parse("--op backward");
  REQUIRE(arguments.stages().size() == 3);
  CHECK(arguments.stages()[1].operation == Operation::backward_dkv);
}

TEST_CASE("a problem that cannot be says why, with the numbers") {
  CHECK_THROWS_WITH(parse("--heads-q 7 --heads-kv 2"),
                    ContainsSubstring("heads_q = 7 is not a multiple of heads_kv = 2"));
  CHECK_THROWS_WITH(parse("--head-dim 300"), ContainsSubstring("head_dim = 300"));
  CHECK_THROWS_WITH(parse("--head-dim 512"), ContainsSubstring("more than 256"));
  CHECK_THROWS_WITH(parse("--seqlen 0"), ContainsSubstring("seqlen_q = 0"));
  CHECK_THROWS_WITH(parse("--batch -1"), ContainsSubstring("-1"));
  CHECK_THROWS_AS(parse("--batch 0"), UsageError);
  CHECK_THROWS_WITH(parse("--dtype f8"), ContainsSubstring("'f8' is not one of f16, bf16, f32, f64"));
  CHECK_THROWS_WITH(parse("--op sideways"),
                    ContainsSubstring("'sideways' is not one of forward, backward, backward_delta, "));
  CHECK_THROWS_AS(parse("--batch many"), CLI::ParseError);
}

TEST_CASE("a problem file excludes the other options") {
  const ScratchDirectory scratch;
  const std::string path = (scratch.path() / "problem.json").string();
  REQUIRE(write_file_atomically(path, R"([{"b": 1, "hq": 2, "nq": 5, "nk": 6, "d_qk": 64},
                                          {"b": 2, "hq": 2, "nq": 5, "nk": 6, "d_qk": 64}])") == "");
  CHECK(parse("--problem " + path).size() == 2);
  CHECK_THROWS_WITH(parse("--problem " + path + " --batch 3"),
                    ContainsSubstring("--batch may not stand beside it"));
  CHECK_THROWS_WITH(parse("--problem " + path + ".no"), ContainsSubstring("cannot be read"));

  CLI::App app;
  ProblemArguments arguments;
  arguments.add_to(app);
  app.parse("--problem " + path);
  CHECK_THROWS_WITH(arguments.problem(), ContainsSubstring("2 problems"));
}

#include "tools/candidate_table.h"
#include "kernels/registry.h"
#include "support/catch.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("need, limit and verdict of every candidate are shown") {
  const Problem problem{.batch = 2,
                        .heads_q = 8,
                        .heads_kv = 8,
                        .seqlen_q = 512,
                        .seqlen_kv = 512,
                        .head_dim = 128,
                        .head_dim_v = 128};
  const std::vector<Candidate> candidates =
      enumerate_candidates(problem, known_device("sm_86").value(), Margin{.fraction = 0.1});
  REQUIRE_FALSE(candidates.empty());
  const std::string text = candidate_table(candidates);
  for (const Candidate& candidate : candidates) {
    CHECK_THAT(text, ContainsSubstring(name_of(candidate)));
    CHECK_THAT(text, ContainsSubstring(candidate.verdict.reason));
  }
  // 10 % off the 101376 bytes of sm_86.
  CHECK_THAT(text, ContainsSubstring("/91238"));
}

// The cost model against what was measured.
#include "tune/model_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "db/shipped_db.h"
#include "support/catch.h"
#include "support/recorded_bench.h"

using namespace attune;

namespace {

constexpr double kMedianBound = 1.10;
constexpr size_t kShown = 15;

std::string table_of(const std::vector<ModelCheck>& checks) {
  std::string text =
      fmt::format("{:>6}  {:<62}  {:<66}  tuned winner\n", "ratio", "problem", "model's first choice");
  for (size_t i = 0; i < std::min(kShown, checks.size()); ++i) {
    text += fmt::format("{:>6.3f}  {:<62}  {:<66}  {}\n", checks[i].ratio(), describe(checks[i].problem),
                        checks[i].first, checks[i].winner);
  }
  return text;
}

}  // namespace

TEST_CASE("the model's first choice is held against the tuned winner") {
  TuningBench bench;
  const std::vector<Candidate> order = enumerate_candidates(kSmallRows, bench.backend.spec, Margin{});
  bench.backend.script.otherwise.seconds = 4e-3;
  bench.backend.script[order[0].config] = {.fault = Fault::does_not_compile};
  bench.backend.script[order[1].config].seconds = 1.5e-3;
  bench.backend.script[order[5].config].seconds = 1e-3;
  const RecordedBench recording(bench, {kSmallRows});
  const std::vector<ModelCheck> checks = check_cost_model(recording.problems);
  REQUIRE(checks.size() == 1);
  CHECK(checks[0].problem == kSmallRows);
  CHECK(checks[0].winner == "row_softmax " + to_string(order[5].config));
  CHECK(checks[0].first == "row_softmax " + to_string(order[1].config));
  CHECK(checks[0].untimed == 1);
  CHECK(checks[0].ratio() == Approx(1.5).epsilon(1e-3));
  CHECK(median_ratio(checks) == checks[0].ratio());
}

TEST_CASE("the median of several problems is taken, the worst stands first") {
  TuningBench bench;
  Problem other = kSmallRows, third = kSmallRows;
  other.seqlen_kv = 1000;
  third.seqlen_kv = 300;
  const RecordedBench recording(bench, {kSmallRows, other, third});
  const std::vector<ModelCheck> checks = check_cost_model(recording.problems);
  REQUIRE(checks.size() == 3);
  CHECK(std::ranges::is_sorted(checks, std::ranges::greater(), &ModelCheck::ratio));
  CHECK(median_ratio(checks) == checks[1].ratio());
  CHECK(std::isinf(median_ratio({})));
}

TEST_CASE("on recorded GPUs the cost model's first choice costs at most 10 % in the median") {
  const auto recordings = open_shipped_db(Log());
  const std::vector<ModelCheck> checks = check_cost_model(recorded_problems(recordings->records()));
  if (checks.empty()) ATTUNE_SKIP("this build ships no recordings");
  const std::string table = table_of(checks);
  fmt::print("{} recorded problems, median ratio {:.3f}; the worst:\n{}", checks.size(), median_ratio(checks),
             table);
  INFO(table);
  CHECK(median_ratio(checks) <= kMedianBound);
}

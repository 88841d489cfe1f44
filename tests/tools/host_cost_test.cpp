#include "tools/host_cost.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "support/catch.h"
#include "tools/bench_host.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

namespace {

Measurement around(double seconds) {
  return measurement_of({seconds, seconds, seconds, 1.1 * seconds, seconds, 0.9 * seconds, seconds});
}

ContextOptions emulator() {
  attune_context_options asked = ATTUNE_CONTEXT_OPTIONS_INIT;
  asked.device = "simt:sm_80";
  return resolve_options(&asked);
}

}  // namespace

TEST_CASE("a cost above its bound is missed, at its bound it holds") {
  CHECK(timed_cost("x", around(4e-5), 5e-5, true).verdict == Verdict::holds);
  CHECK(timed_cost("x", around(5e-5), 5e-5, true).verdict == Verdict::holds);
  CHECK(timed_cost("x", around(6e-5), 5e-5, true).verdict == Verdict::missed);
  CHECK(timed_cost("x", around(6e-5), 5e-5, false).verdict == Verdict::not_judged);
  CHECK(timed_cost("x", around(6e-5), -1, true).verdict == Verdict::not_judged);
  CHECK(timed_cost("x", measurement_of({}), 5e-5, true).verdict == Verdict::missed);  // nothing was measured
  CHECK(counted_cost("x", 1, 1).verdict == Verdict::holds);
  CHECK(counted_cost("x", 2, 1).verdict == Verdict::missed);
  CHECK(counted_cost("x", std::numeric_limits<double>::quiet_NaN(), 1).verdict == Verdict::missed);
}

TEST_CASE("only what was measured and missed makes a run fail") {
  const HostCost missed = counted_cost("x", 2, 1);
  const HostCost holds = counted_cost("x", 1, 1);
  CHECK_FALSE(any_missed({holds, skipped_cost("x", "no GPU"), timed_cost("x", around(1), 0.5, false)}));
  CHECK(any_missed({holds, missed}));
}

TEST_CASE("costs are shown with their bound, verdict and reason") {
  const std::vector<HostCost> costs = {timed_cost("a plan", around(6e-5), 5e-5, true),
                                       skipped_cost("a graph", "needs a GPU"), counted_cost("builds", 1, 1)};
  const std::string text = host_cost_text(costs);
  CHECK_THAT(text, ContainsSubstring("60.00 [54.00, 66.00] µs"));
  CHECK_THAT(text, ContainsSubstring("50 µs"));
  CHECK_THAT(text, ContainsSubstring("MISSED"));
  CHECK_THAT(text, ContainsSubstring("needs a GPU"));
  const nlohmann::json list = host_cost_json(costs);
  CHECK(list[0]["value"] == 6e-5);
  CHECK(list[1]["value"].is_null());
  CHECK(list[2]["verdict"] == "holds");
}

TEST_CASE("plans of a warm cache compile nothing, and a known description costs less", "[simt]") {
  const std::vector<HostCost> costs = bench_plan_creation(emulator());
  REQUIRE(costs.size() == 2);
  CHECK(costs[0].value > 0);
  CHECK(costs[1].value > 0);
  CHECK(costs[1].value < costs[0].value);
  CHECK_FALSE(any_missed(costs));
}

TEST_CASE("threads that ask for one plan compile once", "[simt]") {
  const HostCost cost = bench_one_key(emulator());
  INFO(cost.note);
  CHECK(cost.value == 1);
  CHECK(cost.verdict == Verdict::holds);
}

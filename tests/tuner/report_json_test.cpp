#include <nlohmann/json.hpp>

#include "support/catch.h"
#include "tuner/fixtures.h"
#include "tuner/report_json.h"

using namespace attune;
using namespace attune::tuner_test;

TEST_CASE("the JSON report holds every trial") {
  const ReportContext gpu{.device = "Some GPU", .multiprocessors = 132, .timings_mean_speed = true};
  const nlohmann::json report = report_json(sample_report(), gpu);
  CHECK(report["problem"]["op"] == "row_softmax");
  CHECK(report["winner"] == 1);
  REQUIRE(report["trials"].size() == 4);
  const nlohmann::json& winner = report["trials"][1];
  CHECK(winner["config"]["WARPS"] == 2);
  CHECK(winner["outcome"] == "ok");
  CHECK(winner["median_seconds"] == Approx(10e-6));
  CHECK(winner["registers"] == 32);
  const nlohmann::json& pruned = report["trials"][3];
  CHECK(pruned["outcome"] == "over_budget");
  CHECK(pruned["reason"] == "smem 240640 > 232448");
  CHECK_FALSE(pruned.contains("registers"));
}

TEST_CASE("times that mean nothing are not written") {
  const nlohmann::json report = report_json(sample_report(), {.device = "simt", .multiprocessors = 132});
  CHECK_FALSE(report["trials"][1].contains("median_seconds"));
  CHECK_FALSE(report["trials"][1].contains("samples_seconds"));
}

#include "tuner/report_table.h"
#include "support/catch.h"
#include "tuner/fixtures.h"

using namespace attune;
using namespace attune::tuner_test;
using Catch::Matchers::ContainsSubstring;

namespace {

const ReportContext kGpu{
    .device = "Some GPU (cuda, sm_90a)", .multiprocessors = 132, .timings_mean_speed = true};

std::string line_with(const std::string& text, const std::string& word) {
  const size_t at = text.find(word);
  if (at == std::string::npos) return "";
  const size_t begin = text.rfind('\n', at) + 1;
  return text.substr(begin, text.find('\n', at) - begin);
}

}  // namespace

TEST_CASE("the fastest candidate stands on top and is named again at the end") {
  const std::string text = report_text(sample_report(), kGpu);
  CHECK(text.find("WARPS=2") < text.find("WARPS=1 "));
  CHECK_THAT(line_with(text, "WARPS=2"), ContainsSubstring("10.00 [9.000, 11.00]"));
  CHECK_THAT(line_with(text, "WARPS=2"), ContainsSubstring("winner"));
  // 4 x 1000 x 1000 operations in 10 microseconds.
  CHECK_THAT(line_with(text, "WARPS=2"), ContainsSubstring("0.4"));
  CHECK_THAT(text, ContainsSubstring(
                       "winner: row_softmax WARPS=2 ROWS_PER_BLOCK=1, 10.00 [9.000, 11.00] µs, 0.4 TFLOP/s; "
                       "2 ok, 1 over_budget, 1 wrong_result in 3.2 s"));
}

TEST_CASE("failures and pruned candidates come with their reasons") {
  const std::string text = report_text(sample_report(), kGpu);
  CHECK_THAT(line_with(text, "WARPS=4"), ContainsSubstring("wrong_result"));
  CHECK_THAT(line_with(text, "WARPS=4"), ContainsSubstring("o: worst error"));
  CHECK(text.find("second line") == std::string::npos);
  CHECK_THAT(line_with(text, "WARPS=8"), ContainsSubstring("smem 240640 > 232448"));
  CHECK_THAT(text, ContainsSubstring("pruned before compiling"));
}

TEST_CASE("a device whose clock means nothing shows no times") {
  ReportContext emulator = kGpu;
  emulator.timings_mean_speed = false;
  const std::string text = report_text(sample_report(), emulator);
  CHECK(text.find("TFLOP/s") == std::string::npos);
  CHECK(text.find("µs") == std::string::npos);
  CHECK_THAT(winner_line(sample_report(), emulator), ContainsSubstring("nothing is known of its speed"));
}

TEST_CASE("without a winner the report says what happened instead") {
  TuneReport report = sample_report();
  report.winner.reset();
  report.note = "2 of 9 candidates were not tried within 1 s";
  CHECK(winner_line(report, kGpu) ==
        "no winner: 2 ok, 1 over_budget, 1 wrong_result; 2 of 9 candidates were not tried within 1 s");
  CHECK_THAT(report_text(report, kGpu), ContainsSubstring("note: 2 of 9"));
}

TEST_CASE("a compile-only report names no winner") {
  TuneReport report = sample_report();
  report.winner.reset();
  for (Trial& trial : report.trials)
    trial.measurement = {};
  const ReportContext target{.device = "sm_86", .multiprocessors = 82, .compiled_only = true};
  CHECK_THAT(winner_line(report, target), ContainsSubstring("compiled only, nothing was run: 2 ok"));
  CHECK_THAT(line_with(report_text(report, target), "WARPS=1"), ContainsSubstring("31"));
}

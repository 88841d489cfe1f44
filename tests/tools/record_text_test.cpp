#include <algorithm>

#include "support/catch.h"
#include "tools/record_text.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

namespace {

Record timed(int64_t id, const std::string& config, double microseconds,
             const std::string& bucket = "forward | Nq<=64") {
  Record record;
  record.id = id;
  record.device_key = "cuda sm_90 H200 x132";
  record.bucket = bucket;
  record.family = "flash_fwd";
  record.config = config;
  record.image_hash = config;
  record.samples = {microseconds * 1e-6};
  record.median_seconds = microseconds * 1e-6;
  record.ci_low_seconds = 0.99 * microseconds * 1e-6;
  record.ci_high_seconds = 1.01 * microseconds * 1e-6;
  record.registers = 128;
  record.compiler = "nvrtc 13.0";
  record.driver = "driver 580.65";
  record.shape = "forward bf16 B=1";
  return record;
}

size_t lines_in(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_CASE("the winners' table has a line for each shape") {
  std::vector<Record> records = {timed(1, "A=1", 20), timed(2, "A=2", 10),
                                 timed(3, "A=1", 5, "forward | Nq<=128"), timed(4, "A=4", 1)};
  records.back().shape = "another of the first bucket";
  const std::string text = winners_table(records);
  CHECK(lines_in(text) == 4);
  CHECK_THAT(text, ContainsSubstring(records.back().shape));
  CHECK_THAT(text, ContainsSubstring("A=4"));
  CHECK_THAT(text, ContainsSubstring("A=2"));
  CHECK_THAT(text, ContainsSubstring("10.00 [9.900, 10.10]"));
  CHECK(text.find("20.00") == std::string::npos);
}

TEST_CASE("a bucket whose trials all failed has no winner") {
  Record failed = timed(1, "A=1", 0);
  failed.outcome = Outcome::wrong_result;
  failed.samples.clear();
  failed.median_seconds = failed.ci_low_seconds = failed.ci_high_seconds = 0;
  CHECK_THAT(winners_table({failed}), ContainsSubstring("none: wrong_result"));
}

TEST_CASE("the table of trials holds them all") {
  const std::vector<Record> records = {timed(1, "A=1", 20), timed(2, "A=2", 10)};
  CHECK(lines_in(records_table(records)) == 3);
}

TEST_CASE("the emulator's times are not shown in tables") {
  Record record = timed(1, "A=1", 20);
  record.device_key = "simt sm_90 simt sm_90a x132";
  CHECK(records_table({record}).find("20.00") == std::string::npos);
  CHECK(winners_table({record}).find("20.00") == std::string::npos);
}

TEST_CASE("a race on recorded samples is not shown as measured now") {
  Record record = timed(1, "A=1", 20);
  record.device_key = "recorded sm_90 NVIDIA H200 x132";
  CHECK_THAT(records_table({record}), ContainsSubstring("replayed "));
  CHECK_THAT(winners_table({record}), ContainsSubstring("replayed "));
  CHECK(records_table({timed(1, "A=1", 20)}).find("replayed") == std::string::npos);
}

TEST_CASE("one record is shown with every field") {
  const std::string text = record_text(timed(7, "A=1", 20));
  size_t fields = 0;
  const Record any;
  for_each_field(any, [&](const char* name, const auto&) {
    ++fields;
    CHECK_THAT(text, ContainsSubstring(name));
  });
  CHECK(lines_in(text) == fields + 2);  // and the id, and the samples
  CHECK_THAT(text, ContainsSubstring("id                  7\n"));
}

TEST_CASE("records are found by a part of bucket or shape") {
  const std::vector<Record> records = {timed(1, "A=1", 20), timed(2, "A=2", 10, "forward | Nq<=128")};
  CHECK(records_matching(records, "Nq<=128").size() == 1);
  CHECK(records_matching(records, "bf16 B=1").size() == 2);
  CHECK(records_matching(records, "nothing").empty());
}

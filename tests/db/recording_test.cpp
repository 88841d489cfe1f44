// Trials as text: what is kept, what is written, and what is refused.
#include "db/recording.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "db/record_json.h"
#include "db/recording_fixtures.h"
#include "support/catch.h"
#include "support/caught.h"

using namespace attune;
using namespace attune::db_test;
using Catch::Matchers::ContainsSubstring;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
    lines.push_back(text.substr(at, end - at));
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines)
    text += line + "\n";
  return text;
}

std::string refusal(const std::string& text) {
  try {
    read_recording(text, "r.jsonl");
  } catch (const Error& error) {
    CHECK(error.status() == ATTUNE_ERROR_INVALID_ARGUMENT);
    return error.what();
  }
  return "nothing";
}

}  // namespace

TEST_CASE("a recording read and written again is the same text") {
  const std::vector<Record> records = small_recording();
  const std::string text = write_recording(records);
  const std::vector<Record> read = read_recording(text, "r.jsonl");
  CHECK(write_recording(read) == text);
  REQUIRE(read.size() == records.size());
  for (size_t i = 0; i < read.size(); ++i) {
    INFO(text);
    // Five digits are kept of each number, and everything else as it was.
    for_each_field(read[i], [&](const char* name, const auto& value) {
      for_each_field(records[i], [&](const char* other, const auto& original) {
        if (std::string_view(name) != other) return;
        INFO(name);
        if constexpr (std::is_same_v<decltype(value), decltype(original)>) {
          using Field = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<Field, double>) {
            if (value != original) CHECK(value == Approx(original).epsilon(1e-4));
          } else if constexpr (std::is_same_v<Field, std::vector<double>>) {
            REQUIRE(value.size() == original.size());
            for (size_t k = 0; k < value.size(); ++k)
              CHECK(value[k] == Approx(original[k]).epsilon(1e-4));
          } else {
            CHECK((value == original));
          }
        }
      });
    });
  }
}

TEST_CASE("what most trials share is said once") {
  const std::vector<std::string> lines = lines_of(write_recording(small_recording()));
  REQUIRE(lines.size() == 1 + 2 * (1 + 4));
  CHECK_THAT(lines[0], ContainsSubstring(R"("attune_recording":1)"));
  CHECK_THAT(lines[0], ContainsSubstring(kGpu));
  CHECK_THAT(lines[1], ContainsSubstring(R"({"group":{)"));
  CHECK_THAT(lines[1], ContainsSubstring("Nq=4096"));
  CHECK_THAT(lines[6], ContainsSubstring("Nq=512"));
  for (const size_t trial : {2, 3, 4, 7, 8, 9}) {
    INFO(lines[trial]);
    CHECK(lines[trial].find("device_key") == std::string::npos);
    CHECK(lines[trial].find("shape") == std::string::npos);
    CHECK_THAT(lines[trial], ContainsSubstring("samples_us"));
  }
}

TEST_CASE("times are in microseconds with five digits") {
  Record record = recorded(attention(512), "BLOCK_M=64", 1e-3 / 3);
  record.samples = {1.23456789e-4};
  const nlohmann::ordered_json object = record_to_json(record);
  CHECK(object["samples_us"].dump() == "[123.46]");
  CHECK(object["median_us"].dump() == "333.33");
  CHECK(object["compile_us"].dump() == "410000");
  CHECK(object["clock_hz"].dump() == "1980000000");
  CHECK_FALSE(object.contains("median_seconds"));
}

TEST_CASE("trials of one problem stand together, in their order") {
  std::vector<Record> records = small_recording();
  std::swap(records[1], records[5]);
  const std::vector<Record> read = read_recording(write_recording(records), "r.jsonl");
  REQUIRE(read.size() == 8);
  CHECK(std::ranges::is_sorted(read, std::ranges::greater(), &Record::seqlen_q));
  CHECK(read[0].config == "BLOCK_M=64 BLOCK_N=32");
}

TEST_CASE("only the newest trials of GPUs are worth recording, and twelve samples of each") {
  std::vector<Record> records = small_recording();
  Record emulated = records[0], replayed = records[0], pruned = records[0], newer = records[0];
  emulated.device_key = "simt sm_90 simt sm_90a x132";
  replayed.device_key = "recorded sm_90 NVIDIA H200 x132";
  pruned.outcome = Outcome::over_budget;
  pruned.config = "BLOCK_M=256 BLOCK_N=256";
  newer.median_seconds = newer.ci_high_seconds = newer.ci_low_seconds = 7e-6;
  newer.samples.assign(40, 7e-6);
  newer.samples.front() = 6e-6;
  for (const Record& record : {emulated, replayed, pruned, newer})
    records.push_back(record);
  const std::vector<Record> kept = worth_recording(records);
  REQUIRE(kept.size() == 8);
  CHECK(kept.back().median_seconds == 7e-6);
  CHECK(kept.back().samples.size() == 12);
  CHECK(kept.back().samples.front() == 6e-6);
  CHECK(kept.front().config == records[1].config);
}

TEST_CASE("no records make no text, and no text no records") {
  CHECK(write_recording({}).empty());
  CHECK(read_recording("", "r.jsonl").empty());
}

TEST_CASE("a line that is not right is named") {
  struct Fault {
    size_t line;
    std::string text;
    const char* reason;
  };
  const std::vector<std::string> good = lines_of(write_recording(small_recording()));
  const Fault fault = GENERATE_COPY(values<Fault>({
      {1, "", "not a JSON object"},
      {1, "{}", "not a recording"},
      {1, R"({"attune_recording":2,"common":{}})", "version 2, this library reads 1"},
      {1, R"({"attune_recording":1})", "\"common\" is not an object"},
      {1, R"({"attune_recording":1,"common":[]})", "\"common\" is not an object"},
      {1, R"({"attune_recording":1,"common":{},"more":1})", "unknown keys"},
      {1, R"({"attune_recording":1,"common":{"colour":1}})", "\"colour\" is no field"},
      {2, R"({"group":{"registers":"many"}})", "\"registers\" is \"many\""},
      {2, R"({"group":7})", "\"group\" is not an object"},
      {3, good[2].substr(0, 20), "not a JSON object"},
      {3, "[1]", "not a JSON object"},
      {3, R"({"group":{},"registers":1})", "\"group\" is no field"},
      {3, R"({"colour":"red"})", "\"colour\" is no field"},
      {3, R"({"config":"A=1","samples_us":["x"]})", "\"samples_us\""},
      {3, R"({"config":"A=1","samples_us":[1e400]})", "not a JSON object"},
      {3, R"({"config":"A=1","samples_us":[-1]})", "samples is -"},
      {3, R"({"config":"A=1","samples_us":"inf"})", "\"samples_us\""},
      {3, R"({"config":"A=1","median_us":"inf"})", "median_seconds is inf"},
      {3, R"({"config":"A=1","median_us":1e9})", "not within its confidence interval"},
      {3, R"({"config":"A=1","registers":99999999999})", "\"registers\""},
      {3, R"({"config":"A=1","registers":1.5})", "\"registers\""},
      {3, R"({"config":"A=1","seqlen_q":18446744073709551615})", "\"seqlen_q\""},
      {3, R"({"config":"A=1","seqlen_q":-1})", "seqlen_q is -1 < 0"},
      {3, R"({"config":"A=1","outcome":"excellent"})", "\"outcome\""},
      {3, R"({"config":"A=1; DROP TABLE record"})", "cannot be read"},
      {3, R"({"config":"A=1","device_key":"../../etc"})", "device key '../../etc' cannot be read"},
      {3, R"({"config":"A=1","family":""})", "family is empty"},
      {3, R"({"config":"A=1","shape":"\u001b[31mred"})", "control character"},
      {3, R"({"config":"A=1","reason":")" + std::string(70000, 'x') + "\"}", "70"},
      {3, R"({"config":"A=1","reason":")" + std::string(5000, 'x') + "\"}", "\"reason\""},
      {11, "}", "not a JSON object"},
  }));
  CAPTURE(fault.line, fault.text.substr(0, 80));
  std::vector<std::string> lines = good;
  lines.at(fault.line - 1) = fault.text;
  const std::string message = refusal(joined(lines));
  CHECK_THAT(message, ContainsSubstring(fmt::format("r.jsonl:{}: ", fault.line)));
  CHECK_THAT(message, ContainsSubstring(fault.reason));
}

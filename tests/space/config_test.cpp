#include "space/config.h"

#include <algorithm>
#include <random>
#include <set>

#include "support/catch.h"
#include "support/caught.h"

using namespace attune;

namespace {

ConfigSpace sample_space() {
  return ConfigSpace(
      {{"BLOCK_M", {64, 128}, "query rows"}, {"BLOCK_N", {32, 64}, "keys"}, {"WARPS", {4, 8}, "warps"}},
      {{"BLOCK_M is a multiple of 16 * WARPS",
        [](const Config& config) { return config.at("BLOCK_M") % (16 * config.at("WARPS")) == 0; }}});
}

std::vector<std::string> texts(const std::vector<Config>& configs) {
  std::vector<std::string> result;
  for (const Config& config : configs)
    result.push_back(to_string(config));
  return result;
}

}  // namespace

TEST_CASE("a space enumerates in lexicographic order what meets its constraints") {
  CHECK(texts(sample_space().enumerate()) ==
        std::vector<std::string>{"BLOCK_M=64 BLOCK_N=32 WARPS=4", "BLOCK_M=64 BLOCK_N=64 WARPS=4",
                                 "BLOCK_M=128 BLOCK_N=32 WARPS=4", "BLOCK_M=128 BLOCK_N=32 WARPS=8",
                                 "BLOCK_M=128 BLOCK_N=64 WARPS=4", "BLOCK_M=128 BLOCK_N=64 WARPS=8"});
}

TEST_CASE("a space may be empty by its constraints or by a parameter without values") {
  CHECK(
      ConfigSpace({{"A", {1, 2}, ""}}, {{"never", [](const Config&) { return false; }}}).enumerate().empty());
  CHECK(ConfigSpace({{"A", {1, 2}, ""}, {"B", {}, ""}}, {}).enumerate().empty());
}

TEST_CASE("everything enumerated is accepted, everything else is rejected") {
  const ConfigSpace space = sample_space();
  std::set<std::string> allowed;
  for (const Config& config : space.enumerate()) {
    CHECK(space.reject_reason(config) == "");
    allowed.insert(to_string(config));
  }
  for (const int m : {0, 32, 64, 128, 129}) {
    for (const int n : {-32, 32, 64, 128}) {
      for (const int warps : {1, 4, 8}) {
        const Config config{{"BLOCK_M", m}, {"BLOCK_N", n}, {"WARPS", warps}};
        INFO(to_string(config));
        CHECK(space.reject_reason(config).empty() == allowed.contains(to_string(config)));
      }
    }
  }
}

TEST_CASE("a rejection says what is wrong, with the numbers") {
  const ConfigSpace space = sample_space();
  CHECK(space.reject_reason({}) == "0 parameters instead of 3");
  CHECK(space.reject_reason({{"BLOCK_M", 64}, {"BLOCK_N", 32}}) == "2 parameters instead of 3");
  CHECK(space.reject_reason({{"BLOCK_M", 64}, {"BLOCK_N", 32}, {"WARPS", 4}, {"STAGES", 2}}) ==
        "4 parameters instead of 3");
  CHECK(space.reject_reason({{"BLOCK_M", 64}, {"BLOCK_N", 32}, {"STAGES", 2}}) ==
        "parameter WARPS is missing");
  CHECK(space.reject_reason({{"BLOCK_M", 96}, {"BLOCK_N", 32}, {"WARPS", 4}}) ==
        "BLOCK_M = 96 is not one of 64, 128");
  CHECK(space.reject_reason({{"BLOCK_M", 64}, {"BLOCK_N", 32}, {"WARPS", 8}}) ==
        "BLOCK_M is a multiple of 16 * WARPS does not hold");
}

TEST_CASE("a config gives values by name") {
  Config config{{"BLOCK_M", 64}, {"WARPS", 4}};
  CHECK(config.at("WARPS") == 4);
  CHECK(config.find("STAGES") == std::nullopt);
  CHECK(caught([&] { config.at("STAGES"); }) ==
        Caught{ATTUNE_ERROR_INTERNAL, "config \"BLOCK_M=64 WARPS=4\" has no parameter STAGES"});
  config.set("STAGES", 2);
  config.set("BLOCK_M", 128);
  CHECK(to_string(config) == "BLOCK_M=128 WARPS=4 STAGES=2");  // a new value keeps its place
  CHECK(config == Config{{"BLOCK_M", 128}, {"WARPS", 4}, {"STAGES", 2}});
  CHECK_FALSE(config == Config{{"WARPS", 4}, {"BLOCK_M", 128}, {"STAGES", 2}});
  CHECK(Config{}.empty());
}

TEST_CASE("the text of a config reads back as the same config") {
  for (const Config& config : sample_space().enumerate())
    CHECK(config_from_string(to_string(config)) == config);
  const Config odd{{"A", -2147483648}, {"b_2", 2147483647}, {"C", 0}};
  CHECK(to_string(odd) == "A=-2147483648 b_2=2147483647 C=0");
  CHECK(config_from_string(to_string(odd)) == odd);
}

TEST_CASE("texts that are no config are refused") {
  for (const char* text : {"",
                           " ",
                           "A",
                           "=",
                           "=1",
                           "A=",
                           "A= 1",
                           "A=1,B=2",
                           "A=1  B=2",
                           " A=1",
                           "A=1\tB=2",
                           "A=1 A=1",
                           "A=1 B=2 A=3",
                           "A=2147483648",
                           "A=-2147483649",
                           "A=99999999999999999999",
                           "A=1.5",
                           "A=0x10",
                           "A=1e3",
                           "A=+1",
                           "A=--1",
                           "A=1=2",
                           "A=one",
                           "A=1;B=2",
                           "A=1\n",
                           "A=1 B",
                           "A=1 =2"}) {
    INFO("\"" << text << "\"");
    CHECK_FALSE(config_from_string(text).has_value());
  }
  CHECK_FALSE(config_from_string(std::string_view("A=1\0", 4)).has_value());
}

TEST_CASE("a text with more than 64 parameters is refused") {
  std::string text;
  for (int i = 0; i < 64; ++i)
    text += fmt::format("{}P{}={}", i ? " " : "", i, i);
  REQUIRE(config_from_string(text).has_value());
  CHECK(config_from_string(text)->values().size() == 64);
  CHECK_FALSE(config_from_string(text + " P64=64").has_value());
}

// Whatever a database row holds: no crash, and what is accepted means what its canonical text says.
TEST_CASE("hostile texts never crash, and what is accepted round-trips") {
  std::mt19937_64 random(20261122);
  const std::string alphabet = "AB=19- \t\n;\"'\\%{}\xff";
  const ConfigSpace space = sample_space();
  int accepted = 0, in_space = 0;
  for (int i = 0; i < 200000; ++i) {
    std::string text;
    // Half of them are mutations of a valid text, so that most of the grammar is reached.
    if (i % 2 == 0) text = "BLOCK_M=64 BLOCK_N=32 WARPS=4";
    for (uint64_t edits = 1 + random() % 8; edits > 0; --edits) {
      const char character = random() % 8 == 0 ? '\0' : alphabet[random() % alphabet.size()];
      const size_t at = text.empty() ? 0 : random() % text.size();
      if (text.empty() || random() % 2 == 0) {
        text.insert(at, 1, character);
      } else {
        text[at] = character;
      }
    }
    const std::optional<Config> config = config_from_string(text);
    if (!config) continue;
    ++accepted;
    REQUIRE_FALSE(config->empty());
    REQUIRE(config_from_string(to_string(*config)) == config);
    // The space has the last word on names and values. (The order of a row's parameters is free.)
    if (!space.reject_reason(*config).empty()) continue;
    ++in_space;
    REQUIRE(config->values().size() == 3);
    for (const Parameter& parameter : space.parameters()) {
      REQUIRE(std::ranges::count(parameter.values, config->at(parameter.name)) == 1);
    }
  }
  CHECK(accepted > 1000);
  CHECK(in_space > 10);
}

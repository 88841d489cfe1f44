#include "db/ranking.h"
#include "db/fixtures.h"
#include "support/catch.h"

using namespace attune;
using attune::db_test::sample_record;

namespace {

const Toolchain kNow = {.compiler = "nvrtc 13.0 sm_90a -std=c++17", .driver = "driver 580.65 nvrtc 13.0"};

// A trial with an interval of its own; ids ascend as the trials are listed.
Record trial(const std::string& config, double low, double median, double high) {
  Record record = sample_record(config, median);
  record.ci_low_seconds = low;
  record.ci_high_seconds = high;
  return record;
}

std::vector<std::string> order(const std::vector<Record>& records, const Toolchain& now = kNow) {
  std::vector<std::string> configs;
  for (const Choice& choice : rank(records, now))
    configs.push_back(choice.record.config);
  return configs;
}

using Configs = std::vector<std::string>;

}  // namespace

TEST_CASE("the lowest median goes first when intervals are apart") {
  CHECK(order({}).empty());
  CHECK(order({trial("A=1", 2.9, 3, 3.1), trial("A=2", 0.9, 1, 1.1), trial("A=3", 1.9, 2, 2.1)}) ==
        Configs{"A=2", "A=3", "A=1"});
}

TEST_CASE("only trials that were timed well count") {
  std::vector<Record> records;
  for (const Outcome outcome : {Outcome::over_budget, Outcome::compile_failed, Outcome::launch_failed,
                                Outcome::wrong_result, Outcome::timed_out, Outcome::crashed}) {
    records.push_back(trial("A=" + std::to_string(static_cast<int>(outcome)), 0.1, 0.1, 0.1));
    records.back().outcome = outcome;
  }
  records.push_back(trial("UNTIMED=1", 0, 0, 0));
  CHECK(order(records).empty());
}

TEST_CASE("the newest trial of a candidate replaces the older ones") {
  const Record fast = trial("A=1", 0.9, 1, 1.1);
  const Record slow = trial("A=1", 4.9, 5, 5.1);
  const Record other = trial("A=2", 2.9, 3, 3.1);
  CHECK(order({fast, other, slow}) == Configs{"A=2", "A=1"});

  SECTION("also when the newest one failed") {
    Record wrong = fast;
    wrong.outcome = Outcome::wrong_result;
    CHECK(order({fast, other, wrong}) == Configs{"A=2"});
    CHECK(order({wrong, other, fast}) == Configs{"A=1", "A=2"});
  }
  SECTION("also when it is of another image: the templates have changed") {
    Record image = slow;
    image.image_hash = "ffff";
    CHECK(order({fast, other, image}) == Configs{"A=2", "A=1"});
  }
  SECTION("but another compiler or family is another candidate") {
    Record compiler = slow;
    compiler.compiler = "nvrtc 99.0 sm_90a";
    CHECK(order({fast, other, compiler}) == Configs{"A=1", "A=2", "A=1"});
    Record family = slow;
    family.family = "flash_fwd_sm90";
    CHECK(order({fast, other, family}) == Configs{"A=1", "A=2", "A=1"});
  }
}

TEST_CASE("who lost a race early counts as no faster than what it lost to") {
  Record loser = trial("A=1", 0.9, 0.91, 0.92);
  loser.lost_to_seconds = 1;
  const Record winner = trial("A=2", 0.99, 1, 1.01);
  CHECK(order({loser, winner}) == Configs{"A=2", "A=1"});
  // The winner's image is gone, and the new one is slow: what is known of the loser still stands.
  CHECK(order({loser, winner, trial("A=2", 3.9, 4, 4.1)}) == Configs{"A=1", "A=2"});
}

TEST_CASE("times of different shapes are compared by their work") {
  Record slow_small = trial("A=1", 1.9, 2, 2.1);  // one sequence
  Record fast_large = trial("A=2", 3.9, 4, 4.1);  // four
  slow_small.batch = 1;
  fast_large.batch = 4;
  CHECK(order({slow_small, fast_large}) == Configs{"A=2", "A=1"});
}

TEST_CASE("what was measured at the shape in question goes before other shapes, but for what is stale") {
  const auto at = [](const char* shape, Record record) {
    record.shape = shape;
    return record;
  };
  Record slow = at("asked", trial("A=1", 3.9, 4, 4.1)), slower = at("asked", trial("A=2", 4.9, 5, 5.1));
  const Record fast = at("other", trial("A=3", 0.9, 1, 1.1)),
               newer = at("other", trial("A=1", 0.4, 0.5, 0.6));
  const auto asked = [](const std::vector<Record>& records) {
    std::vector<std::string> configs;
    for (const Choice& choice : rank(records, kNow, "asked"))
      configs.push_back(choice.record.config);
    return configs;
  };
  CHECK(asked({slow, slower, fast, newer}) == Configs{"A=1", "A=2", "A=3"});
  CHECK(order({slow, slower, fast, newer}) == Configs{"A=1", "A=3", "A=2"});
  CHECK(rank({slow, newer}, kNow, "asked").front().record == slow);
  CHECK(rank({newer, slow}, kNow, "asked").front().record == slow);
  Record changed = slow;
  changed.image_hash = "of another template";
  CHECK(rank({changed, newer}, kNow, "asked").front().record == newer);
  slow.driver = slower.driver = "driver 1";
  CHECK(asked({slow, slower, fast}) == Configs{"A=3", "A=1", "A=2"});
  CHECK(asked({slow, slower, fast, newer}) == Configs{"A=1", "A=3", "A=2"});
}

TEST_CASE("ties go to less shared memory, then fewer registers, then the text") {
  Record fastest = trial("A=3", 0.98, 1.0, 1.05);
  Record tied = trial("A=2", 0.99, 1.01, 1.05);
  Record apart = trial("A=1", 1.012, 1.015, 1.04);  // its interval ends above the lowest median
  apart.shared_bytes = 1;
  const auto check = [&](const Configs& expected) {
    CHECK(order({fastest, tied, apart}) == expected);
    CHECK(order({apart, tied, fastest}) == expected);
  };
  SECTION("text") {
    check({"A=2", "A=3", "A=1"});
  }
  SECTION("registers") {
    tied.registers = fastest.registers + 1;
    check({"A=3", "A=2", "A=1"});
  }
  SECTION("shared memory before registers") {
    tied.registers = fastest.registers + 1;
    tied.shared_bytes = fastest.shared_bytes - 16;
    check({"A=2", "A=3", "A=1"});
  }
  SECTION("an interval that just reaches the median ties") {
    apart.ci_low_seconds = 1.0;
    check({"A=1", "A=2", "A=3"});
  }
  SECTION("an interval that reaches it does not tie when the median is more than 2 % slower") {
    apart = trial("A=1", 0.9, 1.021, 1.2);
    apart.shared_bytes = 1;
    check({"A=2", "A=3", "A=1"});
  }
}

TEST_CASE("a record is fresh under the same compiler and driver major") {
  const Record record = sample_record();
  CHECK(is_fresh(record, kNow));
  CHECK(is_fresh(record, {.compiler = kNow.compiler, .driver = "driver 580.95.05 nvrtc 13.0"}));
  CHECK_FALSE(is_fresh(record, {.compiler = kNow.compiler, .driver = "driver 575.65"}));
  CHECK_FALSE(is_fresh(record, {.compiler = "nvrtc 13.1 sm_90a -std=c++17", .driver = kNow.driver}));
  CHECK(major_of("driver 580.65 nvrtc 13.0") == "driver 580");
  CHECK(major_of("580") == "580");
  CHECK(major_of("emulator") == "emulator");
  CHECK(major_of("").empty());
}

TEST_CASE("fresh candidates go before stale ones") {
  Record stale = trial("A=1", 0.9, 1, 1.1);
  stale.driver = "driver 470.1";
  const Record fresh = trial("A=2", 1.9, 2, 2.1);
  const std::vector<Choice> choices = rank({stale, fresh}, kNow);
  REQUIRE(choices.size() == 2);
  CHECK(choices[0].record.config == "A=2");
  CHECK(choices[0].fresh);
  CHECK(choices[1].record.config == "A=1");
  CHECK_FALSE(choices[1].fresh);
}

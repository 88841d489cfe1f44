#include "base/log.h"

#include <array>
#include <string>

#include "support/catch.h"
#include "support/log_capture.h"

using namespace attune;

TEST_CASE("a default-constructed log drops everything") {
  const Log log;
  for (const auto level : {ATTUNE_LOG_ERROR, ATTUNE_LOG_WARNING, ATTUNE_LOG_INFO, ATTUNE_LOG_DEBUG}) {
    CHECK_FALSE(log.enabled(level));
  }
  log.warning("not {}", "formatted");
}

TEST_CASE("the callback gets the level, the formatted text and the user's pointer") {
  LogCapture capture;
  const Log log = capture.log(ATTUNE_LOG_DEBUG);
  log.write(ATTUNE_LOG_ERROR, "smem {} > {}", 240640, 232448);
  log.warning("braces {} and percent %d stay", "{}");
  log.info("two\nlines");
  log.debug("{:.2f}", 0.125);
  const auto lines = capture.lines();
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].level == ATTUNE_LOG_ERROR);
  CHECK(lines[0].text == "smem 240640 > 232448");
  CHECK(lines[1].level == ATTUNE_LOG_WARNING);
  CHECK(lines[1].text == "braces {} and percent %d stay");
  CHECK(lines[2].level == ATTUNE_LOG_INFO);
  CHECK(lines[2].text == "two\nlines");
  CHECK(lines[3].level == ATTUNE_LOG_DEBUG);
  CHECK(lines[3].text == "0.12");
}

TEST_CASE("a log passes its level and what is more severe") {
  constexpr std::array kLevels = {ATTUNE_LOG_ERROR, ATTUNE_LOG_WARNING, ATTUNE_LOG_INFO, ATTUNE_LOG_DEBUG};
  for (size_t limit = 0; limit < kLevels.size(); ++limit) {
    LogCapture capture;
    const Log log = capture.log(kLevels[limit]);
    for (const auto level : kLevels)
      log.write(level, "{}", "x");
    CHECK(capture.lines().size() == limit + 1);
    for (size_t i = 0; i < kLevels.size(); ++i)
      CHECK(log.enabled(kLevels[i]) == (i <= limit));
  }
  LogCapture silent;
  const Log off = silent.log(ATTUNE_LOG_OFF);
  CHECK_FALSE(off.enabled(ATTUNE_LOG_ERROR));
  off.write(ATTUNE_LOG_ERROR, "{}", "x");
  CHECK(silent.lines().empty());
}

TEST_CASE("copies of a log write to the same place") {
  LogCapture capture;
  const Log log = capture.log();
  const Log copy = log;
  copy.info("from the copy");
  CHECK(capture.count(ATTUNE_LOG_INFO, "from the copy") == 1);
}

TEST_CASE("log levels are parsed from the words of ATTUNE_LOG") {
  attune_log_level level = ATTUNE_LOG_ERROR;
  REQUIRE(parse_log_level("off", level));
  CHECK(level == ATTUNE_LOG_OFF);
  REQUIRE(parse_log_level("debug", level));
  CHECK(level == ATTUNE_LOG_DEBUG);
  REQUIRE(parse_log_level("warning", level));
  CHECK(level == ATTUNE_LOG_WARNING);
  for (const char* word : {"", "warn", "Warning", "3", "debug ", "trace"}) {
    INFO(word);
    CHECK_FALSE(parse_log_level(word, level));
    CHECK(level == ATTUNE_LOG_WARNING);  // untouched
  }
}

#include <cmath>
#include <limits>

#include "db/fixtures.h"
#include "db/record.h"
#include "support/catch.h"

using namespace attune;
using attune::db_test::sample_record;

TEST_CASE("outcomes have names both ways") {
  for (const Outcome outcome :
       {Outcome::ok, Outcome::over_budget, Outcome::compile_failed, Outcome::launch_failed,
        Outcome::wrong_result, Outcome::timed_out, Outcome::crashed}) {
    CHECK_FALSE(name_of(outcome).empty());
    CHECK(outcome_from_name(name_of(outcome)) == outcome);
  }
  CHECK(name_of(Outcome::wrong_result) == "wrong_result");
  CHECK_FALSE(outcome_from_name("").has_value());
  CHECK_FALSE(outcome_from_name("OK").has_value());
  CHECK(name_of(static_cast<Outcome>(99)).empty());
}

TEST_CASE("a plausible record is accepted, timed or not") {
  CHECK(reject_reason(sample_record()).empty());
  Record untimed = sample_record();
  untimed.samples.clear();
  untimed.median_seconds = untimed.ci_low_seconds = untimed.ci_high_seconds = 0;
  CHECK(reject_reason(untimed).empty());
  untimed.outcome = Outcome::over_budget;
  untimed.image_hash.clear();
  CHECK(reject_reason(untimed).empty());
}

TEST_CASE("what no trial can say is rejected") {
  const double nan = std::nan("");
  const double infinity = std::numeric_limits<double>::infinity();
  Record record = sample_record();
  SECTION("negative median") {
    record.median_seconds = -1;
  }
  SECTION("NaN median") {
    record.median_seconds = nan;
  }
  SECTION("infinite median") {
    record.median_seconds = record.ci_high_seconds = infinity;
  }
  SECTION("median below its interval") {
    record.median_seconds = record.ci_low_seconds / 2;
  }
  SECTION("median above its interval") {
    record.median_seconds = record.ci_high_seconds * 2;
  }
  SECTION("interval without a median") {
    record.median_seconds = 0;
  }
  SECTION("interval from zero") {
    record.ci_low_seconds = 0;
  }
  SECTION("negative sample") {
    record.samples.push_back(-1e-3);
  }
  SECTION("NaN sample") {
    record.samples.push_back(nan);
  }
  SECTION("too many samples") {
    record.samples.assign(kMaxSamples + 1, 1e-3);
  }
  SECTION("negative registers") {
    record.registers = -1;
  }
  SECTION("negative shared memory") {
    record.shared_bytes = -1;
  }
  SECTION("negative length") {
    record.seqlen_q = -1;
  }
  SECTION("NaN error") {
    record.max_error = nan;
  }
  SECTION("negative clock") {
    record.clock_hz = -1;
  }
  SECTION("infinite compile time") {
    record.compile_seconds = infinity;
  }
  SECTION("unknown outcome") {
    record.outcome = static_cast<Outcome>(99);
  }
  SECTION("no device") {
    record.device_key.clear();
  }
  SECTION("no bucket") {
    record.bucket.clear();
  }
  SECTION("no family") {
    record.family.clear();
  }
  SECTION("long config") {
    record.config.assign(kMaxTextBytes + 1, 'x');
  }
  SECTION("escape sequence") {
    record.config = "\x1b[31mBLOCK_M=1";
  }
  SECTION("NUL") {
    record.family = std::string("flash\0fwd", 9);
  }
  SECTION("line end in a key") {
    record.bucket += "\n";
  }
  CHECK_FALSE(reject_reason(record).empty());
}

TEST_CASE("the reason names the field and the numbers") {
  Record record = sample_record();
  record.registers = -7;
  CHECK(reject_reason(record) == "registers is -7 < 0");
}

TEST_CASE("tidy makes any message storable") {
  Record record = sample_record();
  record.reason = "\x1b[31merror\x1b[0m: line\n";
  record.max_error = std::nan("");
  tidy(record);
  CHECK(record.reason == " [31merror [0m: line\n");
  CHECK(std::isinf(record.max_error));
  CHECK(reject_reason(record).empty());

  record.reason.clear();
  while (record.reason.size() < kMaxTextBytes + 10)
    record.reason += "\xe2\x82\xac";  // three bytes each
  tidy(record);
  CHECK(record.reason.size() == kMaxTextBytes / 3 * 3);
  CHECK(reject_reason(record).empty());
}

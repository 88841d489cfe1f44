#include "cli/units.h"
#include "support/catch.h"

using namespace attune;

TEST_CASE("microseconds have four digits") {
  CHECK(microseconds(612.34e-6) == "612.3");
  CHECK(microseconds(5.6214e-6) == "5.621");
  CHECK(microseconds(0.8e-6) == "0.8000");
  CHECK(microseconds(12.345e-3) == "12345");
}

TEST_CASE("an interval is shown when there is one") {
  CHECK(microseconds_with_interval(10e-6, 9e-6, 11e-6) == "10.00 [9.000, 11.00]");
  CHECK(microseconds_with_interval(10e-6, 0, 0) == "10.00");
  CHECK(microseconds_with_interval(0, 0, 0).empty());
}

TEST_CASE("speed needs a time") {
  CHECK(teraflops(1e12, 2e-3) == "500.0");
  CHECK(teraflops(1e12, 0).empty());
}

TEST_CASE("durations and sizes read well") {
  CHECK(duration(0.84) == "0.8 s");
  CHECK(duration(9.97) == "10 s");
  CHECK(duration(59.6) == "1 min 0 s");
  CHECK(duration(200) == "3 min 20 s");
  CHECK(byte_count(16) == "16 B");
  CHECK(byte_count(232448) == "227 KiB");
  CHECK(byte_count(int64_t{1} << 30) == "1 GiB");
  CHECK(byte_count(1536 * 1024) == "1.5 MiB");
}

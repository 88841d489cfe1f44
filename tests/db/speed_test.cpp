// How long a lookup's reading takes; run by hand.
#include <chrono>
#include <cstdio>

#include "base/files.h"
#include "db/fixtures.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::db_test;

TEST_CASE("speed of reading records", "[.]") {
  const ScratchDirectory scratch;
  const auto db = TuningDb::open(scratch.path() / "tuning.db", Log());
  for (int bucket = 0; bucket < 20; ++bucket) {
    for (int i = 0; i < 36; ++i) {
      Record record = sample_record("I=" + std::to_string(i));
      record.bucket = "bucket " + std::to_string(bucket);
      record.samples.assign(100, 1.2345678901234e-3);
      db->add(record);
    }
  }
  const auto time = [&](const char* what, const RecordFilter& filter) {
    const auto start = std::chrono::steady_clock::now();
    size_t count = 0;
    for (int i = 0; i < 10; ++i)
      count = db->records(filter).size();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    std::printf("%s: %zu records in %.3f ms\n", what, count, 100 * elapsed.count());
  };
  const std::string static_key = sample_record().static_key;
  time("a bucket", {.device_key = kDevice, .bucket = "bucket 7"});
  time("a bucket without samples", {.device_key = kDevice, .bucket = "bucket 7", .with_samples = false});
  time("a static key", {.device_key = kDevice, .static_key = static_key});
  time("a static key without samples",
       {.device_key = kDevice, .static_key = static_key, .with_samples = false});
}

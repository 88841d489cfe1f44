#include "budget/budget.h"

#include <random>
#include <vector>

#include "support/catch.h"

using namespace attune;

namespace {

DeviceSpec device(const char* arch) {
  return known_device(arch).value();
}

int resident(const char* arch, int64_t shared_bytes, int threads, int registers) {
  const ResourceUse use{.shared_bytes = shared_bytes, .threads = threads, .registers_per_thread = registers};
  const BudgetVerdict verdict = check_budget(use, device(arch), {});
  CHECK(verdict.fits);
  return verdict.blocks_per_multiprocessor;
}

}  // namespace

TEST_CASE("shared memory fits up to the device's limit, to the byte") {
  for (const DeviceSpec& spec : known_devices()) {
    INFO(spec.name);
    const ResourceUse all{.shared_bytes = spec.shared_per_block, .threads = 128, .registers_per_thread = 64};
    const BudgetVerdict fits = check_budget(all, spec, {});
    CHECK(fits.fits);
    CHECK(fits.reason == "ok");
    CHECK(fits.shared_need == spec.shared_per_block);
    CHECK(fits.shared_limit == spec.shared_per_block);
    CHECK(fits.blocks_per_multiprocessor == 1);
    ResourceUse more = all;
    ++more.shared_bytes;
    CHECK_FALSE(check_budget(more, spec, {}).fits);
  }
}

TEST_CASE("what does not fit is named with need, limit, device and margin") {
  const ResourceUse use{.shared_bytes = 240640, .threads = 128, .registers_per_thread = 64};
  const BudgetVerdict verdict = check_budget(use, device("sm_90a"), {});
  CHECK_FALSE(verdict.fits);
  CHECK(verdict.reason == "smem 240640 > 232448 (device 232448, margin 0 % + 0 B)");
  CHECK(verdict.blocks_per_multiprocessor == 0);
  CHECK(check_budget({.shared_bytes = 66000, .threads = 128, .registers_per_thread = 64}, device("sm_75"),
                     {.fraction = 0.05, .bytes = 1000})
            .reason == "smem 66000 > 61259 (device 65536, margin 5 % + 1000 B)");
  CHECK(check_budget({.shared_bytes = 0, .threads = 1056, .registers_per_thread = 32}, device("sm_90a"), {})
            .reason == "threads 1056 > 1024");
  CHECK(check_budget({.shared_bytes = 0, .threads = 128, .registers_per_thread = 256}, device("sm_90a"), {})
            .reason == "registers ~256 > 255 (estimate, margin 0 %)");
  CHECK(check_budget({.shared_bytes = 0, .threads = 128, .registers_per_thread = 232}, device("sm_90a"),
                     {.fraction = 0.1})
            .reason == "registers ~232 > 229 (estimate, margin 10 %)");
}

TEST_CASE("the margin is taken off the shared limit: the fraction first, rounded down, then the bytes") {
  const auto limit = [](const char* arch, double fraction, int64_t bytes) {
    return check_budget({.shared_bytes = 0, .threads = 32, .registers_per_thread = 16}, device(arch),
                        {.fraction = fraction, .bytes = bytes})
        .shared_limit;
  };
  CHECK(limit("sm_90a", 0, 0) == 232448);
  CHECK(limit("sm_90a", 0, 1024) == 231424);
  CHECK(limit("sm_90a", 0.25, 0) == 174336);
  CHECK(limit("sm_90a", 0.25, 336) == 174000);
  CHECK(limit("sm_86", 0.1, 0) == 91238);  // 91238.4
  CHECK(limit("sm_80", 0.99, 0) == 1669);  // 1669.12
  CHECK(limit("sm_75", 0.5, 40000) == 0);  // never below zero
  CHECK(limit("sm_75", 0, 1 << 30) == 0);
}

TEST_CASE("the margin in bytes is for shared memory only, the fraction also for registers") {
  const ResourceUse use{.shared_bytes = 100, .threads = 128, .registers_per_thread = 255};
  CHECK(check_budget(use, device("sm_90a"), {.fraction = 0, .bytes = 100000}).fits);
  const BudgetVerdict less = check_budget(use, device("sm_90a"), {.fraction = 0.02});
  CHECK(less.registers_limit == 249);  // 249.9
  CHECK_FALSE(less.fits);
}

TEST_CASE("the threads of a block share the multiprocessor's registers") {
  const auto limit = [](int threads) {
    return check_budget({.shared_bytes = 0, .threads = threads, .registers_per_thread = 16}, device("sm_80"),
                        {})
        .registers_limit;
  };
  CHECK(limit(128) == 255);
  CHECK(limit(256) == 255);  // 65536 / 256 = 256 is more than an instruction can name
  CHECK(limit(288) == 227);
  CHECK(limit(512) == 128);
  CHECK(limit(1024) == 64);
}

// By hand, from each multiprocessor's limits. Shared memory counts with the 1024 bytes that the driver takes
// per block.
TEST_CASE("resident blocks: the scarcest of shared memory, threads, registers and slots") {
  // sm_80: 167936 B, 2048 threads, 65536 registers, 32 blocks.
  CHECK(resident("sm_80", 54272, 128, 128) == 3);  // 167936 / 55296 = 3.04; registers: 65536 / 16384 = 4
  CHECK(resident("sm_80", 54960, 128, 128) == 2);  // 167936 / 55984 = 2.9997
  CHECK(resident("sm_80", 8192, 128, 168) == 3);   // 65536 / (168 * 128) = 3.05
  CHECK(resident("sm_80", 8192, 128, 161) == 3);   // 161 rounds up to 168
  CHECK(resident("sm_80", 8192, 128, 160) == 3);   // 65536 / 20480 = 3.2
  CHECK(resident("sm_80", 0, 256, 32) == 8);       // 2048 / 256, as 65536 / 8192
  CHECK(resident("sm_80", 0, 32, 16) == 32);       // slots; threads would give 64, registers 128
  CHECK(resident("sm_80", 0, 33, 128) == 8);       // a part of a warp is a warp: 65536 / (128 * 64)
  // sm_86: 102400 B, 1536 threads, 65536 registers, 16 blocks.
  CHECK(resident("sm_86", 33109, 128, 64) == 3);  // 102400 / 34133 = 3.00003
  CHECK(resident("sm_86", 33110, 128, 64) == 2);
  CHECK(resident("sm_86", 1024, 512, 32) == 3);  // 1536 / 512; registers: 4
  CHECK(resident("sm_86", 1024, 32, 16) == 16);  // slots; threads would give 48
  CHECK(resident("sm_86", 101376, 128, 64) == 1);
  // sm_90a: 233472 B, 2048 threads, 65536 registers, 32 blocks.
  CHECK(resident("sm_90a", 115712, 128, 168) == 2);  // 233472 / 116736 = 2 exactly
  CHECK(resident("sm_90a", 115713, 128, 168) == 1);
  CHECK(resident("sm_90a", 17408, 256, 128) == 2);  // 65536 / 32768; shared: 12
  CHECK(resident("sm_90a", 17408, 128, 255) == 2);  // 255 rounds up to 256
  CHECK(resident("sm_90a", 1024, 64, 32) == 32);    // slots, and 2048 / 64 as well
  // sm_75 reserves nothing, and a kernel may use none.
  CHECK(resident("sm_75", 32768, 128, 64) == 2);
  CHECK(resident("sm_75", 0, 128, 64) == 8);
}

TEST_CASE("a larger margin never makes fit what did not, and never raises a limit") {
  std::mt19937_64 random(7);
  const auto pick = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random() % (high - low + 1));
  };
  int fitting = 0, unfitting = 0;
  for (int i = 0; i < 20000; ++i) {
    const DeviceSpec& spec = known_devices()[random() % known_devices().size()];
    const ResourceUse use{.shared_bytes = pick(0, 240000),
                          .threads = static_cast<int>(32 * pick(1, 34)),
                          .registers_per_thread = static_cast<int>(pick(16, 300))};
    const Margin margin{.fraction = 0.01 * static_cast<double>(pick(0, 90)), .bytes = pick(0, 50000)};
    const Margin larger{.fraction = margin.fraction + 0.01 * static_cast<double>(pick(0, 30)),
                        .bytes = margin.bytes + pick(0, 20000)};
    const BudgetVerdict verdict = check_budget(use, spec, margin), stricter = check_budget(use, spec, larger);
    REQUIRE(stricter.shared_limit <= verdict.shared_limit);
    REQUIRE(stricter.registers_limit <= verdict.registers_limit);
    REQUIRE((verdict.fits || !stricter.fits));
    // The verdict says what its numbers say.
    const bool by_numbers = verdict.shared_need <= verdict.shared_limit &&
                            verdict.threads_need <= verdict.threads_limit &&
                            verdict.registers_need <= verdict.registers_limit;
    REQUIRE(verdict.fits == by_numbers);
    REQUIRE((verdict.reason == "ok") == verdict.fits);
    REQUIRE((verdict.blocks_per_multiprocessor >= 1) == verdict.fits);
    ++(verdict.fits ? fitting : unfitting);
  }
  CHECK(fitting > 1000);
  CHECK(unfitting > 1000);
}

// Options over environment over defaults, and what is refused.
#include <cmath>
#include <limits>

#include "base/files.h"
#include "capi/boundary.h"
#include "capi/context_options.h"
#include "capi/fixtures.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::capi_test;
namespace fs = std::filesystem;

namespace {

// No variable of ours set, and a home to find.
struct CleanEnvironment {
  EnvironmentGuard device{"ATTUNE_DEVICE", {}}, tuning{"ATTUNE_TUNING", {}},
      cache_dir{"ATTUNE_CACHE_DIR", {}}, template_dir{"ATTUNE_TEMPLATE_DIR", {}}, log{"ATTUNE_LOG", {}},
      check{"ATTUNE_CHECK", {}}, simt{"ATTUNE_SIMT", {}}, cache_home{"XDG_CACHE_HOME", "/nowhere/cache"};
};

template <typename Change>
void check_refused(const Change& change, std::initializer_list<std::string> words) {
  attune_context_options options = ATTUNE_CONTEXT_OPTIONS_INIT;
  change(options);
  check_fails(boundary([&] { resolve_options(&options); }), ATTUNE_ERROR_INVALID_ARGUMENT, words);
}

}  // namespace

TEST_CASE("defaults without options and environment") {
  const CleanEnvironment clean;
  const ContextOptions options = resolve_options(nullptr);
  CHECK(options.device == DeviceChoice{DeviceKind::cuda, -1, ""});
  CHECK(options.cache_dir == fs::path("/nowhere/cache/attune"));
  CHECK(options.cache_asked);
  CHECK(options.nvrtc_path.empty());
  CHECK_FALSE(options.template_dir);
  CHECK_FALSE(options.site_database);
  CHECK(options.simt_options.empty());
  CHECK(options.tuning == TuningPolicy::miss);
  CHECK(options.log_level == ATTUNE_LOG_OFF);
  CHECK(options.margin.fraction == 0);
  CHECK(options.margin.bytes == 0);
  CHECK(options.tuning_seconds == 3);
  CHECK(options.tuning_scratch_bytes == 268435456);
  CHECK_FALSE(options.check);
}

TEST_CASE("the environment goes over defaults, options go over the environment") {
  const CleanEnvironment clean;
  const ScratchDirectory scratch;
  const EnvironmentGuard device("ATTUNE_DEVICE", "simt:sm_86"), tuning("ATTUNE_TUNING", "off"),
      cache_dir("ATTUNE_CACHE_DIR", "/from/environment"), log("ATTUNE_LOG", "info"),
      check("ATTUNE_CHECK", "1"), simt("ATTUNE_SIMT", "threads=1"),
      templates("ATTUNE_TEMPLATE_DIR", scratch.path().string());
  attune_context_options given = ATTUNE_CONTEXT_OPTIONS_INIT;
  ContextOptions options = resolve_options(&given);
  CHECK(options.device == DeviceChoice{DeviceKind::simt, -1, "sm_86"});
  CHECK(options.tuning == TuningPolicy::off);
  CHECK(options.cache_dir == fs::path("/from/environment"));
  CHECK(options.log_level == ATTUNE_LOG_INFO);
  CHECK(options.check);
  CHECK(options.simt_options == "threads=1");
  CHECK(options.template_dir == scratch.path());

  given.device = "auto";
  given.tuning = ATTUNE_TUNING_FORCE;
  given.cache_dir = "/from/options";
  given.log_level = ATTUNE_LOG_ERROR;
  given.margin_fraction = 0.25;
  given.margin_bytes = 1024;
  given.tuning_seconds = 0.5;
  given.tuning_scratch_bytes = 4096;
  given.site_database = "/from/site.db";
  options = resolve_options(&given);
  CHECK(options.device.kind == DeviceKind::automatic);
  CHECK(options.tuning == TuningPolicy::force);
  CHECK(options.cache_dir == fs::path("/from/options"));
  CHECK(options.log_level == ATTUNE_LOG_ERROR);
  CHECK(options.margin.fraction == 0.25);
  CHECK(options.margin.bytes == 1024);
  CHECK(options.tuning_seconds == 0.5);
  CHECK(options.tuning_scratch_bytes == 4096);
  CHECK(options.site_database == fs::path("/from/site.db"));
}

TEST_CASE("an empty cache directory means memory only, other empty texts mean nothing given") {
  const CleanEnvironment clean;
  attune_context_options given = ATTUNE_CONTEXT_OPTIONS_INIT;
  given.device = given.nvrtc_path = given.template_dir = given.cache_dir = given.site_database = "";
  const ContextOptions options = resolve_options(&given);
  CHECK(options.device.kind == DeviceKind::cuda);
  CHECK_FALSE(options.cache_dir);
  CHECK_FALSE(options.cache_asked);
  CHECK_FALSE(options.site_database);

  const EnvironmentGuard cache_dir("ATTUNE_CACHE_DIR", "");
  CHECK_FALSE(resolve_options(nullptr).cache_asked);
}

TEST_CASE("values out of range are refused with the range") {
  const CleanEnvironment clean;
  using Options = attune_context_options;
  check_refused([](Options& o) { o.margin_fraction = 0.95; }, {"margin_fraction = 0.95", "[0, 0.9]"});
  check_refused([](Options& o) { o.margin_fraction = -0.01; }, {"margin_fraction = -0.01"});
  check_refused([](Options& o) { o.margin_fraction = std::nan(""); }, {"margin_fraction = nan"});
  check_refused([](Options& o) { o.margin_bytes = -1; }, {"margin_bytes = -1", "[0, 1073741824]"});
  check_refused([](Options& o) { o.tuning_seconds = -2; }, {"tuning_seconds = -2"});
  check_refused([](Options& o) { o.tuning_seconds = std::numeric_limits<double>::infinity(); },
                {"tuning_seconds = inf"});
  check_refused([](Options& o) { o.tuning_scratch_bytes = -5; }, {"tuning_scratch_bytes = -5"});
  check_refused([](Options& o) { o.tuning = static_cast<attune_tuning>(4); }, {"tuning = 4", "[0, 3]"});
  check_refused([](Options& o) { o.log_level = static_cast<attune_log_level>(-1); },
                {"log_level = -1", "[0, 4]"});
  check_refused([](Options& o) { o.check = 2; }, {"check = 2", "[0, 1]"});
  check_refused([](Options& o) { o.template_dir = "/nowhere/templates"; },
                {"/nowhere/templates", "directory"});
}

TEST_CASE("unknown words of the environment are refused with what is known") {
  const CleanEnvironment clean;
  const auto nothing = [](attune_context_options&) {};
  const auto check = [&](const char* name, const char* value, std::initializer_list<std::string> words) {
    const EnvironmentGuard guard(name, value);
    check_refused(nothing, words);
  };
  check("ATTUNE_DEVICE", "tpu", {"'tpu'", "simt"});
  check("ATTUNE_TUNING", "always", {"ATTUNE_TUNING", "'always'", "miss, off, force"});
  check("ATTUNE_LOG", "loud", {"ATTUNE_LOG", "'loud'", "debug"});
  check("ATTUNE_CHECK", "yes", {"ATTUNE_CHECK", "'yes'", "0, 1"});
}

TEST_CASE("a reserved field that is set is not supported") {
  attune_context_options options = ATTUNE_CONTEXT_OPTIONS_INIT;
  options.reserved = 9;
  check_fails(boundary([&] { resolve_options(&options); }), ATTUNE_ERROR_UNSUPPORTED, {"reserved = 9"});
}

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cli/machine_arguments.h"
#include "cli/usage_error.h"
#include "support/catch.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

namespace {

struct Parsed {
  explicit Parsed(const std::string& line) {
    arguments.add_device(app);
    arguments.add_target(app);
    arguments.add_margin(app);
    arguments.add_cache(app);
    arguments.add_log(app);
    app.parse(line);
  }

  CLI::App app;
  MachineArguments arguments;
};

}  // namespace

TEST_CASE("what is not given is left to the library") {
  const Parsed parsed("");
  const attune_context_options options = parsed.arguments.context_options();
  CHECK(options.struct_size == sizeof(attune_context_options));
  CHECK(options.device == nullptr);
  CHECK(options.nvrtc_path == nullptr);
  CHECK(options.cache_dir == nullptr);
  CHECK(options.margin_fraction == 0);
  CHECK(options.margin_bytes == 0);
  CHECK_FALSE(parsed.arguments.target().has_value());
}

TEST_CASE("options of the machine reach the library") {
  const Parsed parsed("--device simt:sm_86 --nvrtc /x --margin 12.5 --margin-bytes 4096 --verbose");
  const attune_context_options options = parsed.arguments.context_options();
  CHECK(std::string(options.device) == "simt:sm_86");
  CHECK(std::string(options.nvrtc_path) == "/x");
  CHECK(options.margin_fraction == 0.125);
  CHECK(options.margin_bytes == 4096);
  CHECK(options.log_level >= ATTUNE_LOG_INFO);
}

TEST_CASE("an empty cache directory means memory only") {
  CLI::App app;
  MachineArguments arguments;
  arguments.add_cache(app);
  app.parse(std::vector<std::string>{"", "--cache-dir"});  // CLI11 takes a vector from its end
  REQUIRE(arguments.context_options().cache_dir != nullptr);
  CHECK(std::string(arguments.context_options().cache_dir).empty());
}

TEST_CASE("margins have bounds") {
  CHECK_THROWS_WITH(Parsed("--margin 91").arguments.context_options(), ContainsSubstring("--margin 91"));
  CHECK_THROWS_WITH(Parsed("--margin -1").arguments.context_options(), ContainsSubstring("0 to 90"));
  CHECK_THROWS_AS(Parsed("--margin nan").arguments.context_options(), UsageError);
  CHECK_THROWS_WITH(Parsed("--margin-bytes -5").arguments.context_options(),
                    ContainsSubstring("--margin-bytes -5"));
}

TEST_CASE("a target is a known architecture") {
  CHECK(Parsed("--target sm_86").arguments.target()->arch == "sm_86");
  CHECK(Parsed("--target sm_90").arguments.target()->arch == "sm_90a");
  CHECK_THROWS_WITH(Parsed("--target sm_12").arguments.target(), ContainsSubstring("there are sm_75, sm_80"));
  CHECK_THROWS_AS(Parsed("--target sm_86 --device cuda"), CLI::ParseError);
}

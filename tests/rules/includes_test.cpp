// The house is built upwards: a room includes only rooms of lower rank.
#include <filesystem>

#include "rules/includes.h"
#include "support/catch.h"

using namespace attune::rules;

namespace {

const Ranks& declared_ranks() {
  static const Ranks ranks = parse_ranks(ATTUNE_ROOM_RANKS);
  return ranks;
}

}  // namespace

TEST_CASE("every include goes to a lower room") {
  for (const char* folder : {"lib", "tuner", "tools"}) {
    for (const SourceFile& file : source_files(folder)) {
      const std::vector<std::string> code = code_only(file.lines, true);
      for (std::size_t i = 0; i < code.size(); ++i) {
        const std::string included = included_path(code[i]);
        const std::string offence = include_offence(declared_ranks(), file.path, included);
        if (!offence.empty()) FAIL_CHECK(location(file, i) << ": " << offence);
      }
    }
  }
  SUCCEED();
}

TEST_CASE("every folder of lib is a declared room") {
  const std::filesystem::path lib = std::filesystem::path(ATTUNE_SOURCE_DIR) / "lib";
  for (const auto& entry : std::filesystem::directory_iterator(lib)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_directory() || name == "include") continue;
    INFO("lib/" << name << " has no attune_room() in CMakeLists.txt");
    CHECK(declared_ranks().contains(name));
  }
}

TEST_CASE("the include rule catches what it is for") {
  const Ranks ranks = parse_ranks("base:0,space:2,cuda:8,simt:8,tune:10,capi:11,tuner:12,tools:12,");
  const auto offends = [&](std::string_view file, std::string_view included) {
    return !include_offence(ranks, file, included).empty();
  };
  CHECK(offends("lib/base/hash.h", "space/config.h"));
  CHECK(offends("lib/base/hash.h", "lib/space/config.h"));
  CHECK(offends("lib/cuda/driver.cpp", "simt/fiber.h"));
  CHECK(offends("lib/simt/fiber.cpp", "cuda/driver.h"));
  CHECK(offends("lib/tune/tuner.cpp", "cuda/driver.h"));
  CHECK(offends("lib/simt/fiber.cpp", "cuda.h"));
  CHECK(offends("lib/cuda/driver.h", "cuda.h"));
  CHECK(offends("tuner/main.cpp", "tools/table.h"));
  CHECK_FALSE(offends("lib/cuda/driver.cpp", "cuda.h"));
  CHECK_FALSE(offends("lib/cuda/driver.cpp", "cuda/driver.h"));
  CHECK_FALSE(offends("lib/space/config.cpp", "base/hash.h"));
  CHECK_FALSE(offends("lib/capi/context.cpp", "cuda/driver.h"));
  CHECK_FALSE(offends("lib/base/log.h", "attune/attune.h"));
  CHECK_FALSE(offends("lib/base/log.h", "fmt/format.h"));
  CHECK(included_path("  #  include <cuda.h>  // why") == "cuda.h");
  CHECK(included_path("#include \"base/log.h\"") == "base/log.h");
  CHECK(included_path("#define X").empty());
}

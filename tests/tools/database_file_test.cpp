#include <filesystem>

#include "base/files.h"
#include "capi/context.h"
#include "support/catch.h"
#include "tools/database_file.h"

using namespace attune;

TEST_CASE("a context keeps its database where attune-inspect looks for it") {
  const ScratchDirectory scratch;
  const std::string cache = (scratch.path() / "cache").string();
  attune_context_options asked = ATTUNE_CONTEXT_OPTIONS_INIT;
  asked.device = "simt";
  asked.cache_dir = cache.c_str();
  const attune_context context(resolve_options(&asked));
  REQUIRE(context.database->is_persistent());
  CHECK(std::filesystem::exists(database_path(cache)));
}

#include "simt/options.h"

#include "base/error.h"
#include "simt/simt_backend.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::simt;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string complaint_about(const std::string& text) {
  try {
    parse_options(text);
  } catch (const Error& error) {
    CHECK(error.status() == ATTUNE_ERROR_INVALID_ARGUMENT);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("ATTUNE_SIMT is a list of items") {
  const SimtOptions options =
      parse_options("threads=3,seed=18446744073709551615,limit=0.5,cxx=/opt/gcc/bin/g++");
  CHECK(options.threads == 3);
  CHECK(options.seed == UINT64_MAX);
  CHECK(options.limit_seconds == 0.5);
  CHECK(options.cxx == "/opt/gcc/bin/g++");
  CHECK(parse_options("").threads == 0);
  CHECK(parse_options("").limit_seconds == 120);
}

TEST_CASE("a wrong item of ATTUNE_SIMT is named") {
  for (const char* item : {"threads=0", "threads=x", "threads=", "threads", "seed=-1", "seed=1x", "limit=0",
                           "limit=nan", "cxx=", "colour=red", "=1"}) {
    INFO(item);
    CHECK_THAT(complaint_about(std::string("seed=1,") + item),
               ContainsSubstring(std::string("'") + item + "'"));
  }
  CHECK(complaint_about("seed=1,,threads=2") != "");
}

TEST_CASE("the simt backend takes the numbers of the architecture it stands for") {
  const auto backend = make_simt_backend("sm_86", "", {});
  CHECK(backend->name() == "simt");
  CHECK(backend->device().name == "simt sm_86");
  CHECK(backend->device().shared_per_block == known_device("sm_86")->shared_per_block);
  CHECK_FALSE(backend->timings_mean_speed());
  CHECK(backend->driver_version() == "simt 7");
  CHECK(make_simt_backend("", "", {})->device().arch == "sm_90a");
  CHECK_THROWS_WITH(make_simt_backend("sm_11", "", {}), ContainsSubstring("sm_11"));
  CHECK_THROWS_WITH(make_simt_backend("", "theads=1", {}), ContainsSubstring("theads=1"));
}

TEST_CASE("simt memory is aligned and can be filled and copied") {
  const auto backend = make_simt_backend("", "", {});
  auto* memory = static_cast<unsigned char*>(backend->allocate(1000));
  CHECK(reinterpret_cast<uintptr_t>(memory) % 256 == 0);
  backend->fill(memory, 0x5a, 1000, nullptr);
  unsigned char copy[1000];
  backend->copy(copy, memory, 1000);
  CHECK(copy[999] == 0x5a);
  backend->free(memory);
  CHECK_THROWS_AS(backend->allocate(SIZE_MAX), Error);
  CHECK_THROWS_AS(backend->synchronize(reinterpret_cast<Stream>(uintptr_t{4096})), Error);
}

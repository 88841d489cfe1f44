// Which NVRTC wins, on made-up candidates.
#include "cuda/nvrtc_search.h"
#include "support/catch.h"

using namespace attune;
using Catch::Matchers::ContainsSubstring;

namespace {

NvrtcCandidate candidate(const std::string& path, int major, int minor) {
  return {.origin = "test", .path = path, .version = {.major = major, .minor = minor}, .result = "made up"};
}

std::string chosen(const std::vector<NvrtcCandidate>& candidates, std::optional<int> driver) {
  const NvrtcChoice choice = choose_nvrtc(candidates, driver);
  REQUIRE((choice.status == ATTUNE_OK) == choice.index.has_value());
  return choice.index ? candidates[*choice.index].path : "none";
}

}  // namespace

TEST_CASE("the newest NVRTC whose major the driver loads is chosen") {
  const std::vector<NvrtcCandidate> candidates = {candidate("a", 12, 4), candidate("b", 13, 0),
                                                  candidate("c", 12, 9), candidate("nothing", 0, 0),
                                                  candidate("d", 14, 1)};
  CHECK(chosen(candidates, 12040) ==
        "c");  // 12.9 on a driver for 12.4: the machine code of a major version loads
  CHECK(chosen(candidates, 12090) == "c");
  CHECK(chosen(candidates, 13000) == "b");
  CHECK(chosen(candidates, 13020) == "b");
  CHECK(chosen(candidates, 14000) == "d");
  CHECK(chosen(candidates, std::nullopt) == "d");  // no driver: nothing will be loaded here
}

TEST_CASE("the first of equal versions is chosen") {
  const std::vector<NvrtcCandidate> candidates = {candidate("first", 13, 0), candidate("second", 13, 0)};
  CHECK(chosen(candidates, 13000) == "first");
  CHECK(chosen(candidates, std::nullopt) == "first");
}

TEST_CASE("only NVRTCs that are too new: the status names both versions and the way out") {
  const std::vector<NvrtcCandidate> candidates = {candidate("/opt/new/libnvrtc.so.14", 14, 2),
                                                  candidate("/opt/old/libnvrtc.so.13", 13, 0)};
  const NvrtcChoice choice = choose_nvrtc(candidates, 12040);
  CHECK_FALSE(choice.index);
  CHECK(choice.status == ATTUNE_ERROR_INCOMPATIBLE_DRIVER);
  CHECK_THAT(choice.reason, ContainsSubstring("NVRTC 13.0 (/opt/old/libnvrtc.so.13)"));
  CHECK_THAT(choice.reason, ContainsSubstring("CUDA 12.4"));
  CHECK_THAT(choice.reason, ContainsSubstring("pip install nvidia-cuda-nvrtc-cu12"));
}

TEST_CASE("no NVRTC: the status lists the places and the way out") {
  std::vector<NvrtcCandidate> candidates = {candidate("/opt/a", 0, 0), candidate("/opt/b", 0, 0)};
  candidates[0].result = "no such folder";
  const NvrtcChoice choice = choose_nvrtc(candidates, 13000);
  CHECK(choice.status == ATTUNE_ERROR_NO_COMPILER);
  CHECK_THAT(choice.reason, ContainsSubstring("/opt/a: no such folder"));
  CHECK_THAT(choice.reason, ContainsSubstring("/opt/b"));
  CHECK_THAT(choice.reason, ContainsSubstring("`pip install nvidia-cuda-nvrtc`"));
  CHECK(choose_nvrtc({}, std::nullopt).status == ATTUNE_ERROR_NO_COMPILER);
}

TEST_CASE("a search without a result throws its status when one is required") {
  NvrtcSearch search;
  search.choice = choose_nvrtc({}, 13000);
  try {
    search.require();
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.status() == ATTUNE_ERROR_NO_COMPILER);
    CHECK(error.what() == search.choice.reason);
  }
}

// Where NVRTC is looked for, on folders made for the test.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "cuda/nvrtc_search.h"
#include "cuda/sources.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::test;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

// A file with that name that is no library.
fs::path fake(const fs::path& file) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << "not a library";
  return fs::canonical(file);
}

NvrtcHints hints_for(const fs::path& root) {
  NvrtcHints hints;
  hints.root = root;
  hints.loader = false;
  return hints;
}

// "origin name" of every place with something to open.
std::vector<std::string> found(const std::vector<NvrtcPlace>& places) {
  std::vector<std::string> names;
  for (const NvrtcPlace& place : places) {
    if (place.problem.empty()) names.push_back(place.origin + " " + place.name);
  }
  return names;
}

}  // namespace

TEST_CASE("NVRTC's places come in order of precedence") {
  const ScratchDirectory scratch;
  const fs::path root = scratch.path();
  NvrtcHints hints = hints_for(root);
  hints.cuda_path = root / "path";
  hints.cuda_home = root / "home [1]*";  // what glob would take for a pattern
  hints.virtual_env = root / "venv";
  hints.home = root / "user";
  hints.site_packages = root / "site";
  const auto lib = [&](const char* file) { return fake(root / file).string(); };
  const std::vector<std::string> expected = {
      "CUDA_PATH " + lib("path/lib64/libnvrtc.so.13"),
      "CUDA_PATH " + lib("path/targets/x86_64-linux/lib/libnvrtc.so.12"),
      "CUDA_PATH " + lib("path/nvidia/cuda_nvrtc/lib/libnvrtc.so.12"),
      "CUDA_HOME " + lib("home [1]*/nvidia/cu13/lib/libnvrtc.so.13"),
      "/usr/local/cuda* " + lib("usr/local/cuda-12.4/lib64/libnvrtc.so.12.4.127"),
      "/usr/local/cuda* " + lib("usr/local/cuda-13.0/lib/libnvrtc.so.13"),
      "VIRTUAL_ENV " + lib("venv/lib/python3.11/site-packages/nvidia/cu13/lib/libnvrtc.so.13"),
      "wheels beside attune " + lib("site/nvidia/cu13/lib/libnvrtc.so.13"),
      "user's wheels " + lib("user/.local/lib/python3.9/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12"),
      "system's wheels " + lib("usr/local/lib/python3.11/dist-packages/nvidia/cu13/lib/libnvrtc.so.13"),
      "system's wheels " + lib("usr/lib/python3/dist-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12"),
  };
  lib("path/lib64/libnvrtc-builtins.so.13.0");  // not NVRTC
  lib("path/lib64/libnvrtc.alt.so.13");
  CHECK(found(nvrtc_places(hints)) == expected);

  SECTION("the loader is asked between the variables and the system's folders") {
    hints.loader = true;
    const std::vector<std::string> names = found(nvrtc_places(hints));
    CHECK(names.size() > expected.size());
    CHECK(names[3] == expected[3]);
    CHECK_THAT(names[4], ContainsSubstring("loader path libnvrtc.so."));
    CHECK(names.back() == expected.back());
  }
  SECTION("nothing but what was requested is looked at") {
    hints.requested = root / "path";
    CHECK(found(nvrtc_places(hints)).size() == 3);
    hints.requested = root / "usr/local/cuda-13.0/lib/libnvrtc.so.13";
    CHECK(found(nvrtc_places(hints)) == std::vector<std::string>{"option " + hints.requested});
  }
}

TEST_CASE("links to one NVRTC are one place") {
  const ScratchDirectory scratch;
  const fs::path lib = scratch.path() / "lib";
  const fs::path file = fake(lib / "libnvrtc.so.13.0.88");
  fs::create_symlink("libnvrtc.so.13.0.88", lib / "libnvrtc.so.13");
  fs::create_symlink("libnvrtc.so.13", lib / "libnvrtc.so");
  fs::create_symlink("nowhere", lib / "libnvrtc.so.99");
  fs::create_directory_symlink("lib", scratch.path() / "lib64");
  NvrtcHints hints = hints_for(scratch.path());
  hints.cuda_path = scratch.path();
  CHECK(found(nvrtc_places(hints)) == std::vector<std::string>{"CUDA_PATH " + file.string()});
}

TEST_CASE("a requested NVRTC that is not there is a status with the place") {
  const ScratchDirectory scratch;
  const auto search_for = [&](const fs::path& requested) {
    NvrtcHints hints = hints_for(scratch.path());
    hints.requested = requested;
    return search_nvrtc(hints, 13000);
  };
  SECTION("a path that does not exist") {
    const NvrtcSearch search = search_for("/nonexistent/libnvrtc.so.13");
    CHECK(search.choice.status == ATTUNE_ERROR_NO_COMPILER);
    CHECK_THAT(search.choice.reason,
               ContainsSubstring("option /nonexistent/libnvrtc.so.13: no such file or folder"));
    REQUIRE(search.tried.size() == 1);
  }
  SECTION("an empty folder") {
    const NvrtcSearch search = search_for(scratch.path());
    CHECK(search.choice.status == ATTUNE_ERROR_NO_COMPILER);
    CHECK_THAT(search.choice.reason, ContainsSubstring(scratch.path().string() + ": no libnvrtc.so* in it"));
  }
  SECTION("a file that is no library") {
    const NvrtcSearch search = search_for(fake(scratch.path() / "libnvrtc.so.13"));
    CHECK(search.choice.status == ATTUNE_ERROR_NO_COMPILER);
    CHECK_THAT(search.tried.at(0).result, ContainsSubstring("libnvrtc.so.13"));
    CHECK(search.tried[0].version.major == 0);
  }
  SECTION("a library that is another one") {
    const NvrtcSearch search = search_for("libc.so.6");
    CHECK(search.choice.status == ATTUNE_ERROR_NO_COMPILER);
    CHECK_THAT(search.tried.at(0).result, ContainsSubstring("it has no nvrtcVersion"));
  }
  CHECK(search_for("/nonexistent").library == nullptr);
}

TEST_CASE("an empty system: every place is reported, none is opened") {
  const ScratchDirectory scratch;
  const NvrtcSearch search = search_nvrtc(hints_for(scratch.path()), std::nullopt);
  CHECK(search.choice.status == ATTUNE_ERROR_NO_COMPILER);
  CHECK(search.tried.size() >= 4);
  for (const NvrtcCandidate& candidate : search.tried)
    CHECK_FALSE(candidate.result.empty());
}

TEST_CASE("an NVRTC reached by two ways is opened once") {
  const NvrtcSearch real = search_nvrtc(nvrtc_hints(""), std::nullopt);
  if (!real.library) ATTUNE_SKIP("no NVRTC here");
  const ScratchDirectory scratch;
  for (const char* folder : {"a", "b"}) {
    fs::create_directories(scratch.path() / folder / "lib");
    fs::create_symlink(real.library->path(), scratch.path() / folder / "lib/libnvrtc.so");
  }
  NvrtcHints hints = hints_for(scratch.path());
  hints.cuda_path = scratch.path() / "a";
  hints.cuda_home = scratch.path() / "b";
  const NvrtcSearch search = search_nvrtc(hints, std::nullopt);
  REQUIRE(search.library);
  CHECK(search.library->path() == real.library->path());
  CHECK(search.choice.index == 0u);
  CHECK(search.tried.at(1).result == "same file as that of CUDA_PATH");

  SECTION("and is refused for a driver that is too old") {
    const NvrtcSearch refused = search_nvrtc(hints, 11040);
    CHECK(refused.library == nullptr);
    CHECK(refused.choice.status == ATTUNE_ERROR_INCOMPATIBLE_DRIVER);
    CHECK_THAT(refused.choice.reason, ContainsSubstring("CUDA 11.4"));
    CHECK_THAT(refused.choice.reason, ContainsSubstring("NVRTC " + to_string(real.library->version())));
  }
}

TEST_CASE("the option comes before ATTUNE_NVRTC") {
  REQUIRE(setenv("ATTUNE_NVRTC", "/from/environment", 1) == 0);
  const NvrtcHints from_option = nvrtc_hints("/from/option");
  const NvrtcHints from_environment = nvrtc_hints("");
  REQUIRE(unsetenv("ATTUNE_NVRTC") == 0);
  CHECK(from_option.requested == "/from/option");
  CHECK(from_option.requested_origin == "option");
  CHECK(from_environment.requested == "/from/environment");
  CHECK(from_environment.requested_origin == "ATTUNE_NVRTC");
}

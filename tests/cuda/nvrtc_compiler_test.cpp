// Compiling without a GPU and without a driver.
#include "cuda/nvrtc_compiler.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/files.h"
#include "cuda/sources.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::test;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("a kernel is compiled for architectures that are not there") {
  if (!have_nvrtc()) ATTUNE_SKIP("no NVRTC here");
  for (const char* arch : {"sm_80", "sm_90a"}) {
    INFO(arch);
    const auto compiler = make_compile_only(arch, "");
    const CompileResult result = compiler->compile(twice_plus_offset(3));
    INFO(result.log);
    REQUIRE(result.image);
    CHECK(result.image->bytes.substr(0, 4) ==
          "\x7f"
          "ELF");
    CHECK(result.image->entry == "twice");
    CHECK(result.image->hash.size() == 32);
    CHECK(result.image->registers >= 4);
    CHECK(result.image->registers <= 32);
    CHECK(result.image->spill_bytes == 0);
    CHECK(result.image->static_shared_bytes == 0);
    CHECK(result.image->compile_seconds > 0);
    CHECK_THAT(compiler->identity(), ContainsSubstring("nvrtc "));
    CHECK_THAT(compiler->identity(), ContainsSubstring(arch));
    CHECK_THAT(compiler->identity(), ContainsSubstring("-std=c++17"));
  }
  CHECK(make_compile_only("sm_80", "")->identity() != make_compile_only("sm_90a", "")->identity());
}

TEST_CASE("registers, spills and static shared memory are reported") {
  if (!have_nvrtc()) ATTUNE_SKIP("no NVRTC here");
  const KernelSource source =
      make_source("hungry",
                  "extern \"C\" __global__ __launch_bounds__(1024) void hungry(float* p) {\n"
                  "  __shared__ float s[256];\n"
                  "  float r[96];\n"
                  "  for (int i = 0; i < 96; ++i) r[i] = p[i * 1024 + threadIdx.x];\n"
                  "  s[threadIdx.x % 256] = r[5];\n"
                  "  __syncthreads();\n"
                  "  for (int i = 0; i < 96; ++i) p[i * 1024 + threadIdx.x] = r[95 - i] + s[i];\n"
                  "}\n");
  const CompileResult result = make_compile_only("sm_90a", "")->compile(source);
  INFO(result.log);
  REQUIRE(result.image);
  CHECK(result.image->registers == 64);  // 65536 / 1024
  CHECK(result.image->spill_bytes > 0);
  CHECK(result.image->static_shared_bytes == 1024);
}

TEST_CASE("a comment changes nothing of the image, a constant does") {
  if (!have_nvrtc()) ATTUNE_SKIP("no NVRTC here");
  const auto compiler = make_compile_only("sm_90a", "");
  KernelSource commented = twice_plus_offset(3);
  for (SourceFile& file : commented.files)
    file.text = "// why\n" + file.text;
  const std::string hash = compiler->compile(twice_plus_offset(3)).image.value().hash;
  CHECK(compiler->compile(twice_plus_offset(3)).image.value().hash == hash);
  CHECK(compiler->compile(commented).image.value().hash == hash);
  CHECK(compiler->compile(twice_plus_offset(4)).image.value().hash != hash);
}

TEST_CASE("a failed compilation names the real file and line") {
  if (!have_nvrtc()) ATTUNE_SKIP("no NVRTC here");
  const auto compiler = make_compile_only("sm_90a", "");
  SECTION("in the template") {
    const CompileResult result =
        compiler->compile(make_source("broken", "\nextern \"C\" __global__ void broken() { nonsense(); }\n"));
    CHECK_FALSE(result.image);
    CHECK_THAT(result.log, ContainsSubstring("broken.cuh(2): error"));
    CHECK_THAT(result.log, ContainsSubstring("NVRTC_ERROR_COMPILATION"));
  }
  SECTION("in a header of a folder") {
    KernelSource source = twice_plus_offset(3);
    source.files[0].text = "#pragma once\n\n\nfloat twice_of(float x) { return nonsense; }\n";
    const CompileResult result = compiler->compile(source);
    CHECK_FALSE(result.image);
    CHECK_THAT(result.log, ContainsSubstring("attention/twice.cuh(4): error"));
  }
  SECTION("a header that is missing") {
    KernelSource source = twice_plus_offset(3);
    source.files.erase(source.files.begin());
    const CompileResult result = compiler->compile(source);
    CHECK_FALSE(result.image);
    CHECK_THAT(result.log, ContainsSubstring("attention/twice.cuh"));
  }
}

TEST_CASE("a file in the working directory does not stand in for a header") {
  if (!have_nvrtc()) ATTUNE_SKIP("no NVRTC here");
  const ScratchDirectory scratch;
  const std::filesystem::path before = std::filesystem::current_path();
  std::ofstream(scratch.path() / "attune_config.h") << "#error from the working directory\n";
  std::filesystem::current_path(scratch.path());
  const CompileResult result = make_compile_only("sm_80", "")->compile(twice_plus_offset(3));
  std::filesystem::current_path(before);
  INFO(result.log);
  CHECK(result.image);
}

TEST_CASE("an architecture that NVRTC does not know is refused with what it knows") {
  if (!have_nvrtc()) ATTUNE_SKIP("no NVRTC here");
  const Thrown unknown = thrown_by([] { make_compile_only("sm_20", ""); });
  CHECK(unknown.status == ATTUNE_ERROR_UNSUPPORTED);
  CHECK_THAT(unknown.message, ContainsSubstring("does not compile for sm_20"));
  CHECK_THAT(unknown.message, ContainsSubstring("sm_90"));
  for (const char* arch :
       {"", "90", "sm_", "sm_9x", "sm_90aa", "compute_90", "sm_90 --use_fast_math", "sm_-90"}) {
    INFO(arch);
    CHECK(thrown_by([&] { make_compile_only(arch, ""); }).status == ATTUNE_ERROR_INVALID_ARGUMENT);
  }
}

TEST_CASE("without an NVRTC there is no compiler") {
  const Thrown thrown = thrown_by([] { make_compile_only("sm_90a", "/nonexistent"); });
  CHECK(thrown.status == ATTUNE_ERROR_NO_COMPILER);
  CHECK_THAT(thrown.message, ContainsSubstring("/nonexistent"));
}

TEST_CASE("one compiler serves several threads") {
  if (!have_nvrtc()) ATTUNE_SKIP("no NVRTC here");
  const auto compiler = make_compile_only("sm_90a", "");
  std::vector<std::string> hashes(4);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < hashes.size(); ++i) {
    threads.emplace_back([&, i] {
      const CompileResult result = compiler->compile(twice_plus_offset(static_cast<int>(i / 2)));
      if (result.image) hashes[i] = result.image->hash;
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK_FALSE(hashes[0].empty());
  CHECK(hashes[0] == hashes[1]);
  CHECK(hashes[2] == hashes[3]);
  CHECK(hashes[0] != hashes[2]);
}

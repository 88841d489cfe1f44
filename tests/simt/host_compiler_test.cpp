#include "simt/host_compiler.h"

#include "base/error.h"
#include "simt/kernel_fixture.h"
#include "simt/process.h"
#include "support/catch.h"

using namespace attune;
using namespace attune::test;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

TEST_CASE("a template's error names the template's own file and line", "[simt]") {
  HostCompiler compiler("");
  const CompileResult broken =
      compiler.compile(with_change(row_softmax_source(), "row_softmax.cuh",
                                   "const float inverse = 1.0f / sum;", "const float inverse = 1.0f / sun;"));
  CHECK_FALSE(broken.image);
  CHECK_THAT(broken.log, ContainsSubstring("row_softmax.cuh:") && ContainsSubstring("sun"));
  CHECK_THAT(broken.log, !ContainsSubstring("/tmp"));

  const CompileResult inner = compiler.compile(with_change(
      row_softmax_source(), "isa/simt.h", "ATTUNE_FN int lane_index()", "ATTUNE_FN itn lane_index()"));
  CHECK_FALSE(inner.image);
  CHECK_THAT(inner.log, ContainsSubstring("isa/simt.h:"));
  CHECK_THAT(inner.log, !ContainsSubstring("./isa/simt.h:"));
}

TEST_CASE("the same source gives the same image", "[simt]") {
  const CompiledImage image = compile(row_softmax_source());
  CHECK(image.entry == "row_softmax");
  CHECK(image.compile_seconds > 0);
  CHECK(image.hash.size() == 32);
  CHECK(image.hash == compile(row_softmax_source()).hash);
}

TEST_CASE("a compiler's identity tells what decides the image", "[simt]") {
  CHECK_THAT(HostCompiler("").identity(), StartsWith("simt abi 7 | ") && ContainsSubstring("-std=c++20"));
}

TEST_CASE("without a compiler the way out is named") {
  const auto complaint = [](const std::string& cxx) -> std::string {
    try {
      HostCompiler(cxx).compile(test_kernel(32, ""));
    } catch (const Error& error) {
      CHECK(error.status() == ATTUNE_ERROR_NO_COMPILER);
      return error.what();
    }
    return "";
  };
  CHECK_THAT(complaint("/nowhere/c++"), ContainsSubstring("/nowhere/c++") && ContainsSubstring("install"));
  CHECK_THAT(complaint("no-such-compiler"), ContainsSubstring("no-such-compiler"));
  CHECK_THAT(complaint("/bin/false"), ContainsSubstring("/bin/false"));
}

TEST_CASE("a program is started by argument vector and stopped when its time is over") {
  const simt::ProgramResult echo = simt::run_program({"/bin/echo", "a b", "$HOME", ";ls"}, "/", 10);
  CHECK(echo.exit_code == 0);
  CHECK(echo.output == "a b $HOME ;ls\n");
  const simt::ProgramResult slow = simt::run_program({"/bin/sleep", "30"}, "/", 0.2);
  CHECK(slow.timed_out);
  CHECK(slow.exit_code == -1);
  CHECK(simt::run_program({"/no/such/program"}, "/", 1).reason != "");
}

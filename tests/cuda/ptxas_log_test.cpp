#include "cuda/ptxas_log.h"
#include "support/catch.h"

using namespace attune;

TEST_CASE("the assembler's report is read from NVRTC's log") {
  const PtxasReport report = parse_ptxas_log(
      "ptxas info    : 0 bytes gmem\n"
      "ptxas info    : Compiling entry function 'k' for 'sm_90a'\n"
      "ptxas info    : Function properties for k\n"
      "ptxas         .     48 bytes stack frame, 44 bytes spill stores, 36 bytes spill loads\n"
      "ptxas info    : Used 255 registers, used 1 barriers, 48 bytes cumulative stack size, 128 bytes smem\n"
      "ptxas info    : Compile time = 2.324 ms\n");
  CHECK(report.registers == 255);
  CHECK(report.spill_bytes == 80);
  CHECK(report.static_shared_bytes == 128);
}

TEST_CASE("the assembler's report is read in nvcc's older format, spills of all functions summed") {
  const PtxasReport report = parse_ptxas_log(
      "ptxas info    : Function properties for helper\n"
      "    8 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads\n"
      "ptxas info    : Compiling entry function 'k' for 'sm_80'\n"
      "ptxas info    : Function properties for k\n"
      "    0 bytes stack frame, 2 bytes spill stores, 0 bytes spill loads\n"
      "ptxas info    : Used 10 registers, 384 bytes cmem[0]");
  CHECK(report.registers == 10);
  CHECK(report.spill_bytes == 14);
  CHECK(report.static_shared_bytes == 0);
}

TEST_CASE("a log without a report gives zeros") {
  for (const char* log :
       {"", "\n\n", "k.cuh(3): error: Used registers are not declared\n", " bytes spill stores",
        "Used  registers, bytes smem", "Used 99999999999999999999 registers"}) {
    const PtxasReport report = parse_ptxas_log(log);
    INFO(log);
    CHECK(report.registers == 0);
    CHECK(report.spill_bytes == 0);
    CHECK(report.static_shared_bytes == 0);
  }
}

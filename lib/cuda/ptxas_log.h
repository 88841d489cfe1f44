// What the assembler reports about a kernel under --ptxas-options=-v: registers, spills, static shared
// memory.
#pragma once

#include <string_view>

namespace attune {

struct PtxasReport {
  int registers = 0;            // most of any kernel, per thread; 0 when the log does not say
  int spill_bytes = 0;          // stores + loads over all functions, per thread
  int static_shared_bytes = 0;  // most of any kernel
};

PtxasReport parse_ptxas_log(std::string_view log);

}  // namespace attune

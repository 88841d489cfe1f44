// SimtOptions: what ATTUNE_SIMT says, "threads=N,seed=N,limit=SECONDS,cxx=PATH".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace attune::simt {

struct SimtOptions {
  int threads = 0;             // OS threads that run blocks; 0: one per core
  uint64_t seed = 1;           // of the schedule; with threads=1 a failure replays exactly
  double limit_seconds = 120;  // wall clock of a launch
  std::string cxx;             // host compiler; empty: c++, g++, clang++ on PATH
};

// Throws Error (INVALID_ARGUMENT) naming the item that is wrong.
SimtOptions parse_options(std::string_view text);

}  // namespace attune::simt

// Progress: how far a tuning run is, on standard error.
#pragma once

#include <cstdio>
#include <string>

#include "tune/tuner.h"

namespace attune {

// On a terminal one line that is rewritten; elsewhere a line at the end of each stage and one every few
// seconds, so that a log stays short and still shows life.
class Progress {
 public:
  // `stream` outlives the object. `rewrite`: it is a terminal, and nobody else writes to it.
  Progress(std::FILE* stream, bool rewrite) : stream_(stream), rewrite_(rewrite) {}

  void update(const TuneProgress& progress);
  // Takes the rewritten line away, before something else is written.
  void clear();

 private:
  std::FILE* stream_;
  bool rewrite_;
  bool line_open_ = false;
  double last_line_seconds_ = 0;  // elapsed time of the last line that was written
};

// "compile 12/20, 3.1 s, 2.0 s left: BLOCK_M=128 ...: ok".
std::string progress_line(const TuneProgress& progress);

}  // namespace attune

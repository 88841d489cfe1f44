// Trial: one candidate and what became of it.
#pragma once

#include <string>

#include "db/record.h"
#include "kernels/family.h"
#include "measure/statistics.h"

namespace attune {

struct Trial {
  Candidate candidate;
  Outcome outcome = Outcome::ok;
  std::string reason;       // when not ok
  std::string source_hash;  // of what was given to the compiler
  std::string image_hash;   // empty when nothing was compiled
  int registers = 0;        // per thread, as compiled
  int spill_bytes = 0;      // per thread
  double compile_seconds = 0;
  double max_error = 0;        // worst error over its tolerance, in validation
  Measurement measurement{};   // without samples when not timed
  double lost_to_seconds = 0;  // the winner's median, when this one left the race early
  bool tried = true;           // false: nobody ran it here or elsewhere, so there is nothing to keep of it
  bool reused = false;         // answered by a fresh record instead of being timed again

  bool timed() const { return outcome == Outcome::ok && !measurement.samples.empty(); }
};

}  // namespace attune

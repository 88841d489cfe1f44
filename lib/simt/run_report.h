// RunReport: what a launch did, for tests and for people.
#pragma once

#include <cstdint>

namespace attune::simt {

struct RunReport {
  int64_t blocks = 0;                // that ran to their end
  int64_t barriers = 0;              // block barriers that were completed
  int64_t rendezvous = 0;            // warps that met in a collective verb
  int64_t highest_shared_byte = -1;  // touched by any thread; -1: none
  double seconds = 0;                // wall clock
};

}  // namespace attune::simt

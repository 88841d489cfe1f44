// RebuiltWinner: a recorded winner compiled again here, and how it compares with what was recorded.
#pragma once

#include <string>
#include <vector>

#include "compile/compiler.h"
#include "db/recorded_problem.h"
#include "specialize/kernel_source.h"

namespace attune {

struct RebuiltWinner {
  Record recorded;
  std::string hash;  // of the image built here; empty when there is none
  int registers = 0;
  int spill_bytes = 0;
  std::string problem;         // why there is no image
  bool same_compiler = false;  // version and options, so that every difference is one of the templates

  bool is_equal() const {
    return hash == recorded.image_hash && registers == recorded.registers &&
           spill_bytes == recorded.spill_bytes;
  }
  // Equal images are what the same compiler must make of the same templates. Another one may choose other
  // registers and instructions, and still compute the same.
  bool is_fault() const { return same_compiler ? !is_equal() : hash.empty(); }
};

// The winner of each problem, in their order; images that several problems share are built once. `compiler`
// is one for the device that all of them were recorded on. Throws Error (NO_COMPILER).
std::vector<RebuiltWinner> rebuild_winners(const std::vector<RecordedProblem>& problems,
                                           const TemplateStore& templates, Compiler& compiler);

// "equal", "nvrtc 13.1 here, recorded with 13.0", "DIFFERS", or why there is no image.
std::string verdict_of(const RebuiltWinner& winner, const Compiler& compiler);

}  // namespace attune

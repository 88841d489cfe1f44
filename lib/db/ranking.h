// Ranking: which of a bucket's trials to use. A pure function, so that two runs, or two ranks, choose alike.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "attune/attune.h"
#include "db/record.h"

namespace attune {

// How well a record fits the problem asked about.
enum class Match { by_default = ATTUNE_MATCH_DEFAULT, near = ATTUNE_MATCH_NEAR, exact = ATTUNE_MATCH_EXACT };

// What compiles and runs now, against which a record is fresh or stale.
struct Toolchain {
  std::string compiler;  // Compiler::identity()
  std::string driver;    // Backend::driver_version()
};

struct Choice {
  Record record;
  // Compiler and driver major as now. The caller compares the image hash, which takes a compilation.
  bool fresh = false;
  double seconds_per_pair = 0;  // of query and key; comparable within the bucket
};

// The text up to the end of its first number: "driver 580" of "driver 580.65 nvrtc 13.0".
std::string_view major_of(std::string_view version);

bool is_fresh(const Record& record, const Toolchain& now);

// The timed candidates of one bucket, best first; fresh ones before stale ones, and among these what was
// measured at `shape` (describe(problem); empty: none) before other shapes. `records` ascend by id.
// - Of a (family, config, compiler) only the newest trial counts; of its image and driver, one at that shape
//   if there is any. When that one failed, the candidate is out.
// - A candidate that lost a race early counts as no faster than what it lost to, and ties with nobody.
// - Times count per pair of query and key, since the records of a bucket may have measured different shapes.
// - Lowest median first; but all within 2 % whose confidence interval reaches down to the lowest median tie
// with it, and of these the
//   lowest (shared_bytes, registers, config text) goes first. The next place is given to the rest in the same
//   way.
std::vector<Choice> rank(const std::vector<Record>& records, const Toolchain& now,
                         std::string_view shape = {});

}  // namespace attune

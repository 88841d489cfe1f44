// Lookup: what the tuning databases know of one problem, by grade: exact, near, and what to tune first.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compile/compiler.h"
#include "db/near.h"
#include "db/ranking.h"
#include "dispatch/planner_resources.h"
#include "problem/problem.h"

namespace attune {

// A candidate that a plan may use, and how it was found.
struct Selection {
  Candidate candidate;
  Match match = Match::by_default;
  // Of a record made by this compiler and driver and from the very image that the templates give now.
  bool fresh = false;
  std::shared_ptr<const CompileResult> image;  // null until it is asked for
};

// A bucket of the same static fields, with the best candidate that its records leave for the problem.
struct Neighbour {
  double distance = 0;  // see log2_distance
  Candidate candidate;
  std::vector<Choice> choices;  // of the bucket, best first
  std::vector<Record> records;
};

// A row is hostile input: its family, config and resources are checked as if a stranger had written them.
// Nothing, with a line in the log, when it must not be used.
std::optional<Candidate> candidate_of(const Record& record, const Problem& problem,
                                      const PlannerResources& resources);

// Specialises and compiles, or finds what was compiled. Never null; without an image when it does not
// compile.
std::shared_ptr<const CompileResult> image_of(const Candidate& candidate, const Problem& problem,
                                              const PlannerResources& resources);

// Not thread-safe. Both arguments outlive it.
class Lookup {
 public:
  // Asks every database for the problem's bucket.
  Lookup(const Problem& problem, const PlannerResources& resources);

  // The winner of the bucket: a fresh one measured at the problem's own shape, of the first database that has
  // one; else a fresh one of another shape; else a stale one, in the same order. It has an image. The
  // compiler is asked for only when there are records.
  std::optional<Selection> exact();

  // The buckets of the same static fields on this device, nearest first; of one bucket in several databases
  // the first one's records count. Only buckets with a candidate that may be used here.
  const std::vector<Neighbour>& neighbours();

  // What to tune first, best first: the best that was ever measured at this shape, however stale, at others
  // of this bucket, and nearby.
  std::vector<Candidate> seeds();

  // Why the compiler must not be asked for this candidate: it crashed or hung the last time. Empty when it
  // may be, as after a change of the template or the compiler.
  std::string compiler_crash(const Candidate& candidate);

  // Why the newest trial of this very image in this bucket failed; empty when it did not, or there was none.
  std::string known_failure(const Candidate& candidate, const CompiledImage& image) const;

 private:
  const Toolchain& now();
  // The timed candidates of the bucket, best first: of each database those measured at the problem's own
  // shape, then of each those of other shapes.
  const std::vector<std::vector<Choice>>& choices();
  // The best of these that is usable now, fresh or not. Only that one, since whether it is fresh takes a
  // compilation.
  std::optional<Selection> best_of(const std::vector<Choice>& ranked) const;

  const Problem& problem_;
  const PlannerResources& resources_;
  const std::string device_;
  const std::string bucket_;
  const std::string shape_;                  // as records have it
  std::vector<std::vector<Record>> layers_;  // of the bucket, one for each database
  std::optional<Toolchain> now_;
  std::optional<std::vector<std::vector<Choice>>> choices_;
  std::optional<std::vector<Neighbour>> neighbours_;
};

}  // namespace attune

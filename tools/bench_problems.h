// attune-bench's measuring: each problem is planned as a user's plan would be, its kernel checked against the
// reference, and timed in rounds in which the problems take turns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "capi/context.h"
#include "db/ranking.h"
#include "measure/statistics.h"
#include "problem/problem.h"

namespace attune {

struct BenchOptions {
  int rounds = 5;
  int calls = 12;  // timed launches of a problem in a round
};

struct BenchRow {
  Problem problem;
  std::string config;  // "flash_fwd BLOCK_M=128 ..."
  Match match = Match::by_default;
  double error = 0;                   // worst error over its tolerance, on small problems of the same kind
  Measurement time;                   // all samples of all rounds; seconds
  std::vector<double> round_seconds;  // median of each round
  std::string refused;                // why there is no time; empty when there is one
};

// One row per problem, in their order. What one problem cannot do, or does wrong, is in its row; a wrong
// kernel is not timed. Where timings mean nothing each problem is launched once. Throws Error (CONTEXT_LOST).
std::vector<BenchRow> bench_problems(attune_context& context, std::span<const Problem> problems,
                                     const BenchOptions& options);

// Consecutive indices that together need at most `limit` bytes; one that alone needs more is a group of its
// own. Only problems of one group take turns, since their tensors are in memory at the same time.
std::vector<std::vector<size_t>> groups_within(std::span<const int64_t> bytes, int64_t limit);

}  // namespace attune

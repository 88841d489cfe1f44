// What attune-bench measured, as a table for people and as JSON in the form of bench/results.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tools/bench_problems.h"

namespace attune {

struct BenchContext {
  std::string device;               // "NVIDIA H200 (cuda, sm_90a)"
  std::string driver;               // as records keep it
  bool timings_mean_speed = false;  // else no time is shown
  double ceiling_tflops = 0;        // 0: not given
  BenchOptions options;
};

BenchContext describe_bench(const Backend& backend, const BenchOptions& options, double ceiling_tflops);

// A line per problem, then what was refused and why.
std::string bench_text(const std::vector<BenchRow>& rows, const BenchContext& context);

// As bench/compare.py writes it: "rows" with their problem, "tflops" by round under "attune", "config",
// "match", "error", "refused"; and "time", in seconds, with its 95 % interval. What does not mean anything is
// null.
nlohmann::json bench_json(const std::vector<BenchRow>& rows, const BenchContext& context);

}  // namespace attune

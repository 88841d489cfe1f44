#include "cli/problem_arguments.h"

#include <CLI/App.hpp>

#include "base/files.h"
#include "cli/problem_json.h"
#include "cli/usage_error.h"
#include "problem/stages.h"

namespace attune {

void ProblemArguments::add_to(CLI::App& app) {
  const std::string group = "Problem";
  const std::vector<CLI::Option*> flags = {
      app.add_option(
          "--op", operation_,
          "forward (default), backward, one of its stages (backward_delta, backward_dkv, backward_dq) or "
          "row_softmax"),
      app.add_option("--dtype", dtype_, "f16, bf16, f32 or f64; default bf16, for row_softmax f32"),
      app.add_option("--batch", batch_, "sequences; default 2"),
      app.add_option("--heads-q", heads_q_, "query heads; default 32, for row_softmax 1"),
      app.add_option("--heads-kv", heads_kv_, "key and value heads; default as --heads-q"),
      app.add_option("--seqlen", seqlen_, "rows of queries and of keys; default 4096"),
      app.add_option("--seqlen-q", seqlen_q_, "rows of queries, where they differ"),
      app.add_option("--seqlen-kv", seqlen_kv_, "rows of keys, where they differ"),
      app.add_option("--head-dim", head_dim_, "head dimension; default 128"),
      app.add_option("--head-dim-v", head_dim_v_, "head dimension of values and outputs, where it differs"),
      app.add_flag("--causal", causal_, "causal mask, aligned to the bottom right"),
      app.add_flag("--top-left", top_left_, "align the causal mask to the top left"),
  };
  for (CLI::Option* flag : flags)
    flag->group(group);
  flags_.assign(flags.begin(), flags.end());
  app.add_option("--problem", file_, "JSON file: a problem or a list of them, keys as in bench/results")
      ->group(group)
      ->type_name("FILE");
}

Problem ProblemArguments::from_flags() const {
  Problem problem;
  problem.operation = parse_operation(operation_);
  const bool is_softmax = problem.operation == Operation::row_softmax;
  problem.dtype = parse_dtype(dtype_.value_or(is_softmax ? "f32" : "bf16"));
  problem.mask = mask_of(causal_, top_left_, "problem");
  problem.batch = batch_.value_or(2);
  problem.heads_q = heads_q_.value_or(is_softmax ? 1 : 32);
  problem.heads_kv = heads_kv_.value_or(problem.heads_q);
  problem.seqlen_q = seqlen_q_.value_or(seqlen_.value_or(4096));
  problem.seqlen_kv = seqlen_kv_.value_or(seqlen_.value_or(4096));
  problem.head_dim = head_dim_.value_or(128);
  problem.head_dim_v = head_dim_v_.value_or(problem.head_dim);
  require_work(problem, "problem");
  return problem;
}

std::vector<Problem> ProblemArguments::problems() const {
  if (file_.empty()) return {from_flags()};
  // Not by CLI11's excludes(), which would be repeated on every line of the help.
  for (const CLI::Option* flag : flags_) {
    if (flag->count() > 0)
      fail_usage("--problem {} says all of the problem: {} may not stand beside it", file_, flag->get_name());
  }
  const std::optional<std::string> text = read_file(file_);
  if (!text) fail_usage("--problem {}: the file cannot be read", file_);
  return problems_from_json(*text, file_);
}

std::vector<Problem> ProblemArguments::stages() const {
  std::vector<Problem> all;
  for (const Problem& problem : problems()) {
    for (const Problem& stage : stages_of(problem))
      all.push_back(stage);
  }
  return all;
}

Problem ProblemArguments::problem() const {
  const std::vector<Problem> all = problems();
  if (all.size() > 1) fail_usage("--problem {}: {} problems; this takes one at a time", file_, all.size());
  return all.front();
}

}  // namespace attune

#include "tune/validation.h"

#include <algorithm>
#include <limits>
#include <string>

#include "problem/stages.h"
#include "tune/attention_case.h"
#include "tune/backward_case.h"
#include "tune/row_softmax_case.h"

namespace attune {
namespace {

Problem resized(Problem problem, int64_t batch, int64_t seqlen_q, int64_t seqlen_kv) {
  problem.batch = batch;
  problem.seqlen_q = seqlen_q;
  problem.seqlen_kv = seqlen_kv;
  return problem;
}

// The same kernel serves any number of heads; a few show that head and group are told apart.
Problem with_few_heads(Problem problem) {
  const int64_t group = problem.heads_q / problem.heads_kv;
  problem.heads_kv = std::min<int64_t>(problem.heads_kv, 2);
  problem.heads_q = problem.heads_kv * std::min<int64_t>(group, 3);
  return problem;
}

}  // namespace

Comparison canary_failure(const char* what) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return {.ok = false,
          .worst_ratio = kInfinity,
          .reason = std::string(what) + ": bytes outside the tensor were written",
          .max_abs_error = kInfinity};
}

Validation::Validation(const Problem& problem) {
  if (problem.operation == Operation::row_softmax) {
    cases_.push_back(std::make_unique<RowSoftmaxCase>(resized(problem, 1, 37, 203), 7, 1.0));
    cases_.push_back(std::make_unique<RowSoftmaxCase>(resized(problem, 1, 5, 1), 8, 30.0));
    return;
  }
  if (is_stage_of_backward(problem.operation)) {
    add_cases<BackwardCase>(problem);
  } else {
    add_cases<AttentionCase>(problem);
    // Few queries of many keys, which some families divide among blocks.
    if (problem.seqlen_q <= 16)
      cases_.push_back(std::make_unique<AttentionCase>(
          resized(with_few_heads(problem), 2, std::max<int64_t>(1, problem.seqlen_q), 1031), 47, 1.0));
  }
}

template <typename Case>
void Validation::add_cases(const Problem& problem) {
  // More queries than keys: under a causal mask the first 127 rows see nothing, and the first that sees a key
  // is the last of its block, whatever rows a block has: a kernel that begins or ends a row late loses it.
  // Then more keys than queries, with logits beyond +-88, where exp overflows unless the maximum is taken
  // off.
  const Problem few = with_few_heads(problem);
  cases_.push_back(std::make_unique<Case>(resized(few, 2, 226, 99), 11, 1.0));
  cases_.push_back(std::make_unique<Case>(resized(few, 1, 113, 259), 23, 40.0));
  // The way through the kernel that takes rows which start anywhere.
  cases_.push_back(std::make_unique<Case>(resized(few, 1, 65, 131), 31, 1.0, Placement::unaligned));
}

Validation::~Validation() = default;

Comparison Validation::check(Backend& backend, const Family& family, const Config& config,
                             const Module& module) const {
  Comparison worst;
  for (const auto& validation_case : cases_) {
    if (!validation_case->concerns(family, config)) continue;
    worst = worse_of(worst, validation_case->check(backend, family, config, module));
    if (!worst.ok) break;
  }
  return worst;
}

}  // namespace attune

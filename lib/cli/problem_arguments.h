// ProblemArguments: the options that name a problem, one by one or as a file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "problem/problem.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace attune {

class ProblemArguments {
 public:
  // This object must outlive the parsing, and the app the questions below.
  void add_to(CLI::App& app);

  // What was asked for, validated; at least one. Throws UsageError.
  std::vector<Problem> problems() const;
  // The same with each problem's stages in its place: what can be tuned.
  std::vector<Problem> stages() const;
  // For programs that look at one problem at a time. Throws UsageError when there are more.
  Problem problem() const;

 private:
  Problem from_flags() const;

  std::vector<const CLI::Option*> flags_;  // all but --problem
  std::string file_;
  std::string operation_ = "forward";
  std::optional<std::string> dtype_;
  std::optional<int64_t> batch_, heads_q_, heads_kv_, seqlen_, seqlen_q_, seqlen_kv_, head_dim_, head_dim_v_;
  bool causal_ = false;
  bool top_left_ = false;
};

}  // namespace attune

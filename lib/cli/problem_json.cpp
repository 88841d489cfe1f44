#include "cli/problem_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/usage_error.h"

namespace attune {
namespace {

using nlohmann::json;

// What a row of bench/results says beside its problem.
constexpr std::array kMeasuredKeys = {"tflops", "config", "match",         "error",       "refused",
                                      "time",   "timing", "setup_seconds", "carried_over"};
constexpr std::array kProblemKeys = {"op", "dtype", "b",   "hq",     "hkv",      "nq",
                                     "nk", "d_qk",  "d_v", "causal", "top_left", "deterministic"};

constexpr std::array kOperations = {Operation::forward,        Operation::backward,
                                    Operation::backward_delta, Operation::backward_dkv,
                                    Operation::backward_dq,    Operation::row_softmax};

template <typename Keys>
bool contains(const Keys& keys, std::string_view key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

// The value of `key`, of type T; `fallback` when it is missing and there is one.
template <typename T>
T value_of(const json& object, const char* key, std::optional<T> fallback, std::string_view where) {
  const auto found = object.find(key);
  if (found == object.end()) {
    if (fallback) return *std::move(fallback);
    fail_usage("{}: key \"{}\" is missing", where, key);
  }
  const bool fits = std::is_same_v<T, bool>          ? found->is_boolean()
                    : std::is_same_v<T, std::string> ? found->is_string()
                                                     : found->is_number_integer();
  if (!fits) {
    const char* wanted = std::is_same_v<T, bool>          ? "true or false"
                         : std::is_same_v<T, std::string> ? "a text"
                                                          : "an integer";
    fail_usage("{}: \"{}\": {} is not {}", where, key, found->dump(), wanted);
  }
  return found->get<T>();
}

// As value_of, with `where` in front of what is wrong with the word.
template <typename Parse>
auto word_of(const json& object, const char* key, std::string fallback, Parse&& parse,
             std::string_view where) {
  const std::string word = value_of<std::string>(object, key, std::move(fallback), where);
  try {
    return parse(word);
  } catch (const UsageError& error) {
    fail_usage("{}: \"{}\": {}", where, key, error.what());
  }
}

Problem problem_of(const json& object, const std::string& where) {
  if (!object.is_object()) fail_usage("{}: {} is not an object", where, object.dump());
  for (const auto& item : object.items()) {
    if (contains(kProblemKeys, item.key()) || contains(kMeasuredKeys, item.key())) continue;
    fail_usage("{}: unknown key \"{}\"; there are {}", where, item.key(), fmt::join(kProblemKeys, ", "));
  }
  Problem problem;
  problem.operation = word_of(object, "op", "forward", parse_operation, where);
  const bool is_softmax = problem.operation == Operation::row_softmax;
  const auto size = [&](const char* key, std::optional<int64_t> fallback) {
    return value_of<int64_t>(object, key, fallback, where);
  };
  // A matrix of rows has neither heads nor head dimensions.
  const auto unless_softmax = [&](int64_t value) { return is_softmax ? std::optional(value) : std::nullopt; };
  problem.dtype = word_of(object, "dtype", is_softmax ? "f32" : "bf16", parse_dtype, where);
  problem.mask = mask_of(value_of<bool>(object, "causal", false, where),
                         value_of<bool>(object, "top_left", false, where), where);
  problem.deterministic = value_of<bool>(object, "deterministic", false, where);
  problem.batch = size("b", std::nullopt);
  problem.heads_q = size("hq", unless_softmax(1));
  problem.heads_kv = size("hkv", problem.heads_q);
  problem.seqlen_q = size("nq", std::nullopt);
  problem.seqlen_kv = size("nk", std::nullopt);
  problem.head_dim = size("d_qk", unless_softmax(problem.head_dim));
  problem.head_dim_v = size("d_v", problem.head_dim);
  require_work(problem, where);
  return problem;
}

}  // namespace

Operation parse_operation(std::string_view word) {
  if (word == "fwd") return Operation::forward;
  if (word == "bwd") return Operation::backward;
  for (const Operation operation : kOperations) {
    if (word == name_of(operation)) return operation;
  }
  fail_usage(
      "operation '{}' is not one of forward, backward, backward_delta, backward_dkv, backward_dq, "
      "row_softmax",
      word);
}

DType parse_dtype(std::string_view word) {
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32, DType::f64}) {
    if (word == name_of(dtype)) return dtype;
  }
  fail_usage("dtype '{}' is not one of f16, bf16, f32, f64", word);
}

Mask mask_of(bool causal, bool top_left, std::string_view where) {
  if (top_left && !causal)
    fail_usage("{}: top_left says where a causal mask is aligned; it needs causal", where);
  return top_left ? Mask::causal_top_left : causal ? Mask::causal : Mask::none;
}

std::vector<Problem> problems_from_json(std::string_view text, std::string_view where) {
  json document;
  try {
    document = json::parse(text);
  } catch (const json::parse_error& error) {
    fail_usage("{}: not JSON: {}", where, error.what());
  }
  const bool is_result_file = document.is_object() && document.contains("rows");
  const json& content = is_result_file ? document["rows"] : document;
  if (!content.is_array()) return {problem_of(content, std::string(where))};
  std::vector<Problem> problems;
  for (size_t i = 0; i < content.size(); ++i) {
    Problem problem = problem_of(content[i], fmt::format("{}[{}]", where, i));
    if (std::find(problems.begin(), problems.end(), problem) == problems.end()) problems.push_back(problem);
  }
  if (problems.empty()) fail_usage("{}: the list of problems is empty", where);
  return problems;
}

json problem_to_json(const Problem& problem) {
  const std::string_view operation = problem.operation == Operation::forward    ? "fwd"
                                     : problem.operation == Operation::backward ? "bwd"
                                                                                : name_of(problem.operation);
  return {{"op", operation},
          {"dtype", name_of(problem.dtype)},
          {"b", problem.batch},
          {"hq", problem.heads_q},
          {"hkv", problem.heads_kv},
          {"nq", problem.seqlen_q},
          {"nk", problem.seqlen_kv},
          {"d_qk", problem.head_dim},
          {"d_v", problem.head_dim_v},
          {"causal", problem.mask != Mask::none},
          {"top_left", problem.mask == Mask::causal_top_left},
          {"deterministic", problem.deterministic}};
}

void require_work(const Problem& problem, std::string_view where) {
  try {
    validate(problem);
  } catch (const Error& error) {
    fail_usage("{}: {}", where, error.what());
  }
  const std::pair<const char*, int64_t> sizes[] = {
      {"batch", problem.batch}, {"seqlen_q", problem.seqlen_q}, {"seqlen_kv", problem.seqlen_kv}};
  for (const auto& [name, size] : sizes) {
    if (size < 1) fail_usage("{}: {} = {}: there is nothing to compute; at least 1", where, name, size);
  }
}

}  // namespace attune

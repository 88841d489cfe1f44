// What a process that tunes and its workers say to each other. Both are of one library version, so a message
// is what the other side's code says it is; one that is not throws nlohmann::json::exception.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "compile/compiler.h"
#include "measure/statistics.h"
#include "problem/problem.h"
#include "tune/trial.h"

namespace attune {

// Changes with every change of what is said below.
constexpr int kWorkerProtocol = 2;

enum class WorkerRole { compile, trial };

// The first message: who asks, and what the worker is to be.
struct WorkerHello {
  WorkerRole role = WorkerRole::trial;
  std::string device;          // Backend::word()
  std::string arch;            // compiled for
  std::string nvrtc_path;      // as the context's options
  std::string simt_options;    // likewise
  double compile_seconds = 0;  // where the compiler is a program, the worker stops it after this time
};

nlohmann::json to_json(const WorkerHello& hello);
// Throws Error (INTERNAL) when the caller is of another version.
WorkerHello hello_from_json(const nlohmann::json& message);

// The worker's answer to it: its identity is what both must agree on.
nlohmann::json welcome_json(const std::string& identity);
// Why the answer is not that of a worker that can be used; empty when it is.
std::string refuse_reason(const nlohmann::json& welcome, const std::string& identity);

nlohmann::json to_json(const KernelSource& source);
KernelSource source_from_json(const nlohmann::json& object);

nlohmann::json to_json(const CompileResult& result);
CompileResult compile_result_from_json(const nlohmann::json& object);

nlohmann::json to_json(const CompiledImage& image);
CompiledImage image_from_json(const nlohmann::json& object);

nlohmann::json to_json(const Problem& problem);
Problem problem_of_json(const nlohmann::json& object);

// Family and config as words; the worker looks up and computes the rest. Throws Error (INTERNAL) for a family
// it does not have.
nlohmann::json to_json(const Candidate& candidate);
Candidate candidate_from_json(const nlohmann::json& object, const Problem& problem);

// What validation learnt: outcome, reason, registers, error.
nlohmann::json verdict_json(const Trial& trial);
void take_verdict(const nlohmann::json& object, Trial& trial);

nlohmann::json to_json(const std::vector<Measurement>& measurements);
std::vector<Measurement> measurements_from_json(const nlohmann::json& array);

// An Error travels as {"status", "error"}, and is thrown again where it arrives.
nlohmann::json error_json(const Error& error);
bool is_error(const nlohmann::json& message);
Error error_of(const nlohmann::json& message);

}  // namespace attune

// run_program: starts a program by argument vector, never through a shell, and captures what it says.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace attune::simt {

struct ProgramResult {
  int exit_code = -1;  // -1: killed by a signal, or never started
  bool timed_out = false;
  int signal = 0;      // that killed it, unless the time limit did
  std::string output;  // standard output and standard error, as they came
  std::string reason;  // why it could not be started; empty when it was
};

// Runs arguments[0] (a path) in `directory` with messages in English, kills it with its children after the
// time limit.
ProgramResult run_program(const std::vector<std::string>& arguments, const std::string& directory,
                          double limit_seconds);

// The first executable of that name on PATH; a name with a slash is taken as it is.
std::optional<std::string> find_program(const std::string& name);

}  // namespace attune::simt

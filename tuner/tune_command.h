// TuneCommand: what attune-tune is asked to do, and the doing.
#pragma once

#include <cstdint>
#include <string>

#include "cli/machine_arguments.h"
#include "cli/problem_arguments.h"
#include "tune/tuner.h"

namespace CLI {
class App;
}

namespace attune {

class TuneCommand {
 public:
  void add_to(CLI::App& app);
  // Returns the exit code. Throws UsageError, Error.
  int run() const;

 private:
  TuneOptions tune_options() const;

  ProblemArguments problem_;
  MachineArguments machine_;
  bool compile_only_ = false;
  double seconds_ = 0;
  bool force_ = false;
  int64_t max_candidates_ = 0;
  std::string json_path_;
};

}  // namespace attune

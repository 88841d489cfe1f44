// attune-inspect why and source: what becomes of a problem before anything runs.
#pragma once

#include <string>

#include "capi/context_options.h"
#include "cli/machine_arguments.h"
#include "cli/problem_arguments.h"

namespace CLI {
class App;
}

namespace attune {

// A problem, and a device or a target it is asked about.
class ProblemAtDevice {
 public:
  void add_to(CLI::App& command);
  Problem problem() const { return problem_.problem(); }
  // Margin, templates and the like, resolved as the library does.
  ContextOptions options() const;
  // Of --target the table's row; of --device what it says itself. Throws UsageError, Error (NO_DEVICE).
  DeviceSpec device() const;

 private:
  ProblemArguments problem_;
  MachineArguments machine_;
};

// `why`: every candidate's need, limit, margin, verdict and predicted time.
class InspectWhy {
 public:
  void add_to(CLI::App& command);
  int run() const;

 private:
  ProblemAtDevice question_;
};

// `source`: the text a compiler gets for a problem and a config.
class InspectSource {
 public:
  void add_to(CLI::App& command);
  int run() const;

 private:
  ProblemAtDevice question_;
  std::string config_;
  bool header_only_ = false;
  bool list_ = false;
};

}  // namespace attune

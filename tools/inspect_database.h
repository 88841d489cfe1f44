// attune-inspect list and show: what the tuning database holds.
#pragma once

#include <string>

#include "cli/machine_arguments.h"

namespace CLI {
class App;
}

namespace attune {

// `list`: the winner of every bucket on every device, or with --trials every trial.
class InspectList {
 public:
  void add_to(CLI::App& command);
  int run() const;

 private:
  MachineArguments machine_;
  bool trials_ = false;
};

// `show`: all that is known of one record (a number), or the trials of the buckets whose text contains the
// word.
class InspectShow {
 public:
  void add_to(CLI::App& command);
  int run() const;

 private:
  MachineArguments machine_;
  std::string what_;
};

}  // namespace attune

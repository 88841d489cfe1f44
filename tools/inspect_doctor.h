// attune-inspect doctor: what attune finds on this machine, and what is missing.
#pragma once

#include "cli/machine_arguments.h"

namespace CLI {
class App;
}

namespace attune {

class InspectDoctor {
 public:
  void add_to(CLI::App& command);
  // kExitOk when some device works, be it the emulator.
  int run() const;

 private:
  MachineArguments machine_;
};

}  // namespace attune

// attune-inspect verify: the shipped winners, built again here.
#pragma once

#include "cli/machine_arguments.h"

namespace CLI {
class App;
}

namespace attune {

class InspectVerify {
 public:
  void add_to(CLI::App& command);
  // kExitFailed when what the same compiler makes differs from what was recorded, or when something does not
  // compile.
  int run() const;

 private:
  MachineArguments machine_;
};

}  // namespace attune

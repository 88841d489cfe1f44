// attune-inspect export and import: trials of the tuning database as text, and back.
#pragma once

#include <string>

#include "cli/machine_arguments.h"

namespace CLI {
class App;
}

namespace attune {

// `export`: what is worth recording, on standard output; how much it is, on standard error.
class InspectExport {
 public:
  void add_to(CLI::App& command);
  int run() const;

 private:
  MachineArguments machine_;
  std::string file_;
  std::string device_;
  std::string commit_;
};

// `import`: all trials of a recording into the user's database, or none.
class InspectImport {
 public:
  void add_to(CLI::App& command);
  int run() const;

 private:
  MachineArguments machine_;
  std::string file_;
  std::string recording_;
};

}  // namespace attune

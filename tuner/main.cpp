// attune-tune: tunes for a problem on this machine's device, or compiles for a GPU that is not there.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cli/program.h"
#include "tuner/tune_command.h"

int main(int argc, char** argv) {
  CLI::App app("Tunes attention kernels for a problem and keeps every trial in the tuning database.",
               "attune-tune");
  attune::TuneCommand command;
  command.add_to(app);
  return attune::run_program(app, argc, argv, [&] { return command.run(); });
}

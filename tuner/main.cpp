// attune-tune: tunes for a problem on this machine's device, or compiles for a GPU that is not there.
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <string_view>

#include "cli/program.h"
#include "tuner/tune_command.h"
#include "tuner/worker.h"

int main(int argc, char** argv) {
  // Not an option of the command: how tuning starts this program to try candidates in.
  if (argc == 2 && std::string_view(argv[1]) == "--worker") return attune::run_worker(STDIN_FILENO);
  CLI::App app("Tunes attention kernels for a problem and keeps every trial in the tuning database.",
               "attune-tune");
  attune::TuneCommand command;
  command.add_to(app);
  return attune::run_program(app, argc, argv, [&] { return command.run(); });
}

// attune-inspect: looks into the tuning database, the budget, the specialised source and this machine.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <functional>

#include "cli/program.h"
#include "tools/inspect_database.h"
#include "tools/inspect_doctor.h"
#include "tools/inspect_problem.h"
#include "tools/inspect_recordings.h"
#include "tools/inspect_verify.h"

namespace {

template <typename Command>
void add_command(CLI::App& app, Command& command, const char* name, const char* meaning,
                 std::function<int()>& work) {
  CLI::App* subcommand = app.add_subcommand(name, meaning);
  command.add_to(*subcommand);
  subcommand->callback([&command, &work] { work = [&command] { return command.run(); }; });
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Looks into attune: its database, its choices, its sources, this machine.", "attune-inspect");
  app.require_subcommand(1);
  attune::InspectList list;
  attune::InspectShow show;
  attune::InspectWhy why;
  attune::InspectSource source;
  attune::InspectDoctor doctor;
  attune::InspectExport exports;
  attune::InspectImport imports;
  attune::InspectVerify verify;
  std::function<int()> work;
  add_command(app, list, "list", "winners, or every trial, in the tuning database", work);
  add_command(app, show, "show", "all about one record, or the trials of a bucket", work);
  add_command(app, why, "why", "every candidate for a problem: need, limit, margin, verdict, predicted time",
              work);
  add_command(app, source, "source", "the specialised source of a problem and a config", work);
  add_command(app, doctor, "doctor", "driver, GPUs, compilers, cache and environment of this machine", work);
  add_command(app, exports, "export", "the trials of GPUs in the tuning database, as text", work);
  add_command(app, imports, "import", "the trials of such a text, into the tuning database", work);
  add_command(app, verify, "verify", "the shipped winners, compiled again here: code, registers, spills",
              work);
  return attune::run_program(app, argc, argv, [&] { return work(); });
}

// Program: parsing, work and exit code of a command line program.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace attune {

enum ExitCode { kExitOk = 0, kExitFailed = 1, kExitUsage = 2 };

// Parses, then works. Returns the exit code: what work() returns, kExitUsage for arguments that do not
// parse, for a UsageError and for the library's INVALID_ARGUMENT, kExitFailed for every other exception.
// Errors go to standard error behind the program's name.
int run_program(CLI::App& app, int argc, char** argv, const std::function<int()>& work);

}  // namespace attune

#include "cli/program.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "base/error.h"
#include "cli/usage_error.h"

namespace attune {
namespace {

int report_usage(const CLI::App& app, const std::string& message) {
  fmt::print(stderr, "{}: {}\n{}: --help lists the options\n", app.get_name(), message, app.get_name());
  return kExitUsage;
}

int report_failure(const CLI::App& app, const std::string& message) {
  fmt::print(stderr, "{}: {}\n", app.get_name(), message);
  return kExitFailed;
}

}  // namespace

int run_program(CLI::App& app, int argc, char** argv, const std::function<int()>& work) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    return report_usage(app, error.what());
  }
  try {
    const int code = work();
    // A full disk or a closed pipe must not look like success.
    if (std::fflush(stdout) != 0) return report_failure(app, "cannot write to standard output");
    return code;
  } catch (const UsageError& error) {
    return report_usage(app, error.what());
  } catch (const Error& error) {
    if (error.status() == ATTUNE_ERROR_INVALID_ARGUMENT) return report_usage(app, error.what());
    return report_failure(app, error.what());
  } catch (const std::exception& error) {
    return report_failure(app, fmt::format("internal error: {}", error.what()));
  }
}

}  // namespace attune

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <stdexcept>

#include "base/error.h"
#include "cli/program.h"
#include "cli/usage_error.h"
#include "support/catch.h"

using namespace attune;

namespace {

int run(std::vector<std::string> words, const std::function<int()>& work) {
  CLI::App app("test", "test-program");
  int number = 0;
  app.add_option("--number", number);
  words.insert(words.begin(), "test-program");
  std::vector<char*> argv;
  for (std::string& word : words)
    argv.push_back(word.data());
  return run_program(app, static_cast<int>(argv.size()), argv.data(), work);
}

}  // namespace

TEST_CASE("the exit code tells wrong arguments from failed work") {
  CHECK(run({}, [] { return 0; }) == kExitOk);
  CHECK(run({"--number", "3"}, [] { return 1; }) == kExitFailed);
  CHECK(run({"--help"}, []() -> int { throw std::logic_error("not reached"); }) == kExitOk);
  CHECK(run({"--number", "x"}, [] { return 0; }) == kExitUsage);
  CHECK(run({"--unknown"}, [] { return 0; }) == kExitUsage);
  CHECK(run({}, []() -> int { fail_usage("batch = {}", 0); }) == kExitUsage);
  CHECK(run({}, []() -> int { fail(ATTUNE_ERROR_INVALID_ARGUMENT, "device"); }) == kExitUsage);
  CHECK(run({}, []() -> int { fail(ATTUNE_ERROR_NO_DEVICE, "none"); }) == kExitFailed);
  CHECK(run({}, []() -> int { throw std::runtime_error("disk"); }) == kExitFailed);
}

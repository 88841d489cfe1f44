// attune-demo: shows attune at work on whatever this machine has. Every line is the result of doing it, here
// and now, or says where and when it was measured.
#include <fmt/format.h>

#include <exception>
#include <iterator>

#include "tools/demo_steps.h"

namespace {

// A step that throws has found something wrong, too; the steps after it are shown all the same.
bool show(bool (*step)(const attune::DemoMachine&), const attune::DemoMachine& machine) {
  try {
    return step(machine);
  } catch (const std::exception& error) {
    attune::demo_line(fmt::format("FAILED: {}", error.what()));
    return false;
  }
}

}  // namespace

int main() {
  attune::DemoMachine machine{
      .driver = attune::find_driver(), .nvrtc = {}, .host = attune::find_host_compiler()};
  machine.nvrtc = attune::find_nvrtc("", machine.driver);
  constexpr bool (*kSteps[])(const attune::DemoMachine&) = {attune::demo_found,  attune::demo_right,
                                                            attune::demo_fits,   attune::demo_compiles,
                                                            attune::demo_cached, attune::demo_tunes};
  int wrong = 0;
  for (const auto step : kSteps) {
    if (!show(step, machine)) ++wrong;
    std::fflush(stdout);
  }
  if (wrong > 0) fmt::print("\n{} of {} steps found something wrong\n", wrong, std::size(kSteps));
  return wrong > 0 ? 1 : 0;
}

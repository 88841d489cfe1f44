// Demo, step 1: what is here. And what all steps share.
#include <fmt/format.h>

#include "cli/text_table.h"
#include "cli/units.h"
#include "tools/demo_steps.h"

namespace attune {
namespace {

constexpr size_t kScreenColumns = 100;

}  // namespace

Problem small_problem() {
  return {.mask = Mask::causal, .heads_q = 4, .heads_kv = 2, .seqlen_q = 203, .seqlen_kv = 203};
}

Problem large_problem() {
  return {.mask = Mask::causal,
          .batch = 2,
          .heads_q = 32,
          .heads_kv = 8,
          .seqlen_q = 4096,
          .seqlen_kv = 4096,
          .head_dim = 128,
          .head_dim_v = 128};
}

void demo_heading(int number, const std::string& question) {
  fmt::print("{}{}\n", number == 1 ? "" : "\n",
             shorten(fmt::format("{} {}", number, question), kScreenColumns));
}

std::string demo_config(const Config& config) {
  Config shown;
  for (const auto& [name, value] : config.values()) {
    if (value != 0) shown.set(name, value);
  }
  return to_string(shown);
}

void demo_line(const std::string& text) {
  const std::string first = text.substr(0, text.find('\n'));
  fmt::print("{}\n", shorten("  " + first, kScreenColumns));
}

void demo_wrapped(const std::string& text, int lines) {
  std::string rest = text.substr(0, text.find('\n'));
  const size_t width = kScreenColumns - 2;
  for (; lines > 1 && rest.size() > width; --lines) {
    const size_t space = rest.rfind(' ', width);
    if (space == std::string::npos || rest.find_first_not_of(' ') > space) break;
    demo_line(rest.substr(0, space));
    rest = "    " + rest.substr(space + 1);
  }
  demo_line(rest);
}

bool demo_found(const DemoMachine& machine) {
  demo_heading(1, fmt::format("What attune {}.{}.{} finds here", ATTUNE_VERSION_MAJOR, ATTUNE_VERSION_MINOR,
                              ATTUNE_VERSION_PATCH));
  for (const DeviceSpec& device : machine.driver.devices) {
    demo_line(fmt::format("GPU            {} ({}), {} multiprocessors, {}", device.name, device.arch,
                          device.multiprocessors, byte_count(device.global_bytes)));
  }
  if (!machine.driver.problem.empty()) demo_wrapped("GPU            none: " + machine.driver.problem, 3);
  if (!machine.driver.release.empty()) {
    demo_line(fmt::format("driver         {}, CUDA {}", machine.driver.release,
                          cuda_version_text(machine.driver.cuda_version)));
  }
  demo_wrapped(machine.nvrtc.library
                   ? fmt::format("NVRTC          {}, {}", to_string(machine.nvrtc.library->version()),
                                 machine.nvrtc.library->path())
                   : "NVRTC          none: " + machine.nvrtc.choice.reason,
               2);
  demo_wrapped(
      "host compiler  " + (machine.has_emulator() ? machine.host.version : "none: " + machine.host.problem),
      2);
  return true;  // whatever is missing is no fault of attune's
}

}  // namespace attune

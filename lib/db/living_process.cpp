#include "db/living_process.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>

#include "base/files.h"

namespace attune {
namespace {

// Field 22 of /proc/<id>/stat: clock ticks from boot to the process's start; empty when there is no such
// process, or only what a dead one leaves to its parent. Fields are counted from behind the program's name,
// which may hold anything, brackets and spaces, too.
std::string start_of(int64_t process) {
  const std::string stat = read_file(fmt::format("/proc/{}/stat", process)).value_or("");
  size_t at = stat.rfind(')');
  if (at == std::string::npos || stat.compare(at, 3, ") Z") == 0) return {};
  for (int field = 2; field < 22 && at != std::string::npos; ++field)
    at = stat.find(' ', at + 1);
  if (at == std::string::npos) return {};
  return stat.substr(at + 1, stat.find(' ', at + 1) - at - 1);
}

std::string name_of_process(int64_t process) {
  std::string boot = read_file("/proc/sys/kernel/random/boot_id").value_or("unknown");
  boot.erase(boot.find_last_not_of('\n') + 1);
  return fmt::format("process {} since {} of boot {}", process, start_of(process), boot);
}

}  // namespace

std::string name_of_this_process() {
  return name_of_process(::getpid());
}

bool is_alive(std::string_view process_name) {
  constexpr std::string_view kWord = "process ";
  if (!process_name.starts_with(kWord)) return false;
  const std::string_view digits = process_name.substr(kWord.size());
  int64_t process = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), process);
  if (error != std::errc() || process <= 0 || start_of(process).empty()) return false;
  return name_of_process(process) == process_name;
}

}  // namespace attune

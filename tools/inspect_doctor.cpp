#include "tools/inspect_doctor.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <cstdlib>
#include <filesystem>

#include "base/environment.h"
#include "capi/context_options.h"
#include "cli/program.h"
#include "cli/text_table.h"
#include "cli/units.h"
#include "db/schema.h"
#include "db/tuning_db.h"
#include "tools/database_file.h"
#include "tools/findings.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

void say(const char* topic, const std::string& text) {
  fmt::print("{:<14}{}\n", topic, text);
}
void say_more(const std::string& text) {
  say("", text);
}

void report_driver(const DriverFindings& driver) {
  if (driver.release.empty()) {
    say("driver", "none: " + driver.problem);
    return;
  }
  say("driver",
      fmt::format("{}, loads code up to CUDA {}", driver.release, cuda_version_text(driver.cuda_version)));
  if (!driver.problem.empty()) say("GPU", "none: " + driver.problem);
  for (const DeviceSpec& device : driver.devices) {
    say("GPU", fmt::format("{} ({}): {} multiprocessors, {} of memory", device.name, device.arch,
                           device.multiprocessors, byte_count(device.global_bytes)));
    say_more(fmt::format("shared memory {} for a block, {} for a multiprocessor; L2 {}",
                         byte_count(device.shared_per_block), byte_count(device.shared_per_multiprocessor),
                         byte_count(device.l2_bytes)));
  }
}

void report_nvrtc(const NvrtcSearch& search) {
  if (search.library) {
    say("NVRTC", fmt::format("{} at {}", to_string(search.library->version()), search.library->path()));
    say_more(fmt::format("compiles for sm_{}", fmt::join(search.library->architectures(), ", sm_")));
  } else {
    say("NVRTC", "none: " + search.choice.reason.substr(0, search.choice.reason.find('\n')));
  }
  TextTable tried({{"tried"}, {"place"}, {"result"}});
  for (const NvrtcCandidate& candidate : search.tried)
    tried.add_row({candidate.origin, candidate.path, candidate.result});
  if (!tried.empty()) fmt::print("{}", tried.text("              "));
}

// Looking must not create the directory, so this says what make_private_directory would.
std::string directory_state(const fs::path& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) return "does not exist yet; created at first use";
  if (!S_ISDIR(status.st_mode)) return "refused: not a directory";
  const std::string mode = fmt::format("mode {:04o}, user {}", status.st_mode & 07777, status.st_uid);
  if (status.st_uid != ::geteuid()) return fmt::format("refused: {}, and this is user {}", mode, ::geteuid());
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fmt::format("refused: {}, others can write to it", mode);
  if (::access(directory.c_str(), W_OK | X_OK) != 0)
    return fmt::format("refused: {}, it cannot be written", mode);
  return fmt::format("usable, {}", mode);
}

std::string images_state(const fs::path& directory) {
  int64_t count = 0;
  int64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator at(directory / "images", error), end; !error && at != end;
       at.increment(error)) {
    std::error_code gone;  // another process may tidy up meanwhile
    if (at->path().extension() != ".img") continue;
    const auto size = static_cast<int64_t>(at->file_size(gone));
    if (!gone) ++count, bytes += size;
  }
  return fmt::format("{} compiled images, {}", count, byte_count(bytes));
}

std::string database_state(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return "does not exist yet";
  const std::unique_ptr<TuningDb> database = TuningDb::open(path, Log());
  if (!database->is_persistent()) return "cannot be used: " + database->degraded_reason();
  return fmt::format("usable, schema {}, {} trials, {}", schema_version(), database->records().size(),
                     byte_count(static_cast<int64_t>(fs::file_size(path, ignored))));
}

void report_cache(const std::optional<fs::path>& directory) {
  if (!directory) {
    say("cache", "none: memory only, as asked for or for want of a home directory");
    return;
  }
  say("cache", fmt::format("{}: {}", directory->string(), directory_state(*directory)));
  say("database",
      fmt::format("{}: {}", database_path(*directory).string(), database_state(database_path(*directory))));
  say("images", images_state(*directory));
}

void report_worker(const fs::path& worker) {
  const bool works = ::access(worker.c_str(), X_OK) == 0;
  say("worker",
      fmt::format("{}{}", worker.string(),
                  works ? "" : ": cannot be started; candidates are tried in the caller's process"));
}

void report_environment() {
  TextTable table({{"environment"}, {"value"}, {"may be"}, {"meaning"}});
  for (const EnvironmentEntry& entry : environment_table()) {
    const std::optional<std::string> value = environment_value(entry.variable);
    table.add_row(
        {entry.name, value ? fmt::format("\"{}\"", *value) : "not set", entry.values, entry.meaning});
  }
  fmt::print("{}", table.text());
}

}  // namespace

void InspectDoctor::add_to(CLI::App& command) {
  machine_.add_nvrtc(command);
  machine_.add_cache(command);
}

int InspectDoctor::run() const {
  const attune_context_options asked = machine_.context_options();
  const ContextOptions options = resolve_options(&asked);
  say("attune", fmt::format("{}.{}.{}", ATTUNE_VERSION_MAJOR, ATTUNE_VERSION_MINOR, ATTUNE_VERSION_PATCH));
  const DriverFindings driver = find_driver();
  report_driver(driver);
  const NvrtcSearch nvrtc = find_nvrtc(machine_.nvrtc(), driver);
  report_nvrtc(nvrtc);
  const HostCompilerFindings host = find_host_compiler();
  say("host compiler", host.problem.empty() ? host.identity : "none: " + host.problem);
  report_worker(options.worker);
  report_cache(options.cache_dir);
  report_environment();

  const bool cuda_works = !driver.devices.empty() && nvrtc.library;
  const bool simt_works = host.problem.empty();
  say("so", fmt::format("ATTUNE_DEVICE=cuda {}, ATTUNE_DEVICE=simt {}, compiling for other GPUs {}",
                        cuda_works ? "works" : "does not work", simt_works ? "works" : "does not work",
                        nvrtc.library ? "works" : "does not work"));
  return cuda_works || simt_works ? kExitOk : kExitFailed;
}

}  // namespace attune

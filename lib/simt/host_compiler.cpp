#include "simt/host_compiler.h"

#include <chrono>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "isa/simt_api.h"
#include "simt/process.h"

namespace attune {
namespace fs = std::filesystem;
namespace {

constexpr double kProbeSeconds = 20;
constexpr const char* kImageName = "kernel.so";

constexpr const char* kAdvice =
    "install one (Debian, Ubuntu: apt install g++; Fedora: dnf install gcc-c++) or name it with "
    "ATTUNE_SIMT=cxx=PATH";

// NOTE: strict aliasing is off because templates view fragments as 16-byte vectors, which a GPU's compiler
// allows.
const std::vector<std::string> kOptions = {
    "-std=c++20",        "-O1", "-shared",        "-fPIC", "-fvisibility=hidden", "-fno-strict-aliasing",
    "-ffp-contract=off", "-w",  "-DATTUNE_SIMT=1"};
// What this CPU can do, as options: kernels multiply-add all the time, and a fused one is a library call
// otherwise. Contraction stays off, so that results depend neither on the CPU nor on the compiler.
std::vector<std::string> cpu_options() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {"-mavx2", "-mfma"};
#endif
  return {};
}

// Fresh registers hold a pattern instead of what happens to lie there. Known to g++ from 12 and to clang++
// from 8 on.
constexpr const char* kPoisonRegisters = "-ftrivial-auto-var-init=pattern";

// The files under `directory`, by their paths as #include names them.
void write_files(const KernelSource& source, const fs::path& directory) {
  for (const SourceFile& file : source.files) {
    const fs::path path = directory / file.path;
    fs::create_directories(path.parent_path());
    std::ofstream stream(path, std::ios::binary);
    if (!(stream << file.text << std::flush))
      fail(ATTUNE_ERROR_COMPILE_FAILED, "cannot write {}", path.string());
  }
}

// Files reached through -I. are named "./isa/simt.h" in messages; people know them as "isa/simt.h".
std::string tidy_log(const std::string& text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool starts_word = i == 0 || text[i - 1] == '\n' || text[i - 1] == ' ';
    if (starts_word && text.compare(i, 2, "./") == 0)
      ++i;
    else
      result += text[i];
  }
  return result;
}

}  // namespace

HostCompiler::HostCompiler(std::string cxx, const Log& log, double limit_seconds)
    : wanted_(std::move(cxx)), log_(log), limit_seconds_(limit_seconds) {}

HostCompiler::Toolchain HostCompiler::probe() const {
  const std::vector<std::string> names =
      wanted_.empty() ? std::vector<std::string>{"c++", "g++", "clang++"} : std::vector{wanted_};
  for (const std::string& name : names) {
    const std::optional<std::string> path = simt::find_program(name);
    if (!path) continue;
    const simt::ProgramResult version = simt::run_program({*path, "--version"}, "/", kProbeSeconds);
    if (version.exit_code != 0) continue;
    Toolchain found{
        .path = *path, .version = version.output.substr(0, version.output.find('\n')), .options = kOptions};
    for (std::string& option : cpu_options())
      found.options.push_back(std::move(option));
    const simt::ProgramResult poison = simt::run_program(
        {*path, "-Werror", kPoisonRegisters, "-x", "c++", "-fsyntax-only", "/dev/null"}, "/", kProbeSeconds);
    if (poison.exit_code == 0) found.options.emplace_back(kPoisonRegisters);
    log_.info("simt: host compiler {} ({})", found.path, found.version);
    return found;
  }
  if (!wanted_.empty()) {
    fail(ATTUNE_ERROR_NO_COMPILER, "the emulator's compiler {} cannot be started; {}", wanted_, kAdvice);
  }
  fail(ATTUNE_ERROR_NO_COMPILER,
       "the emulator needs a C++ compiler, and none of c++, g++, clang++ is on PATH; {}", kAdvice);
}

const HostCompiler::Toolchain& HostCompiler::toolchain() const {
  const std::lock_guard lock(mutex_);
  if (!known_) {
    toolchain_ = probe();
    known_ = true;
  }
  return toolchain_;
}

std::string HostCompiler::identity() const {
  const Toolchain& tools = toolchain();
  return fmt::format("simt abi {} | {} | {}", ATTUNE_SIMT_ABI_VERSION, tools.version,
                     fmt::join(tools.options, " "));
}

CompileResult HostCompiler::compile(const KernelSource& source) {
  const Toolchain& tools = toolchain();
  const ScratchDirectory scratch;
  write_files(source, scratch.path());

  // Paths relative to the scratch directory, so that neither messages nor the image depend on where it lies.
  std::vector<std::string> arguments = {tools.path};
  arguments.insert(arguments.end(), tools.options.begin(), tools.options.end());
  for (const char* argument : {"-I.", "-o", kImageName, "-x", "c++"})
    arguments.emplace_back(argument);
  arguments.push_back(source.main_path);

  const auto start = std::chrono::steady_clock::now();
  const simt::ProgramResult run = simt::run_program(arguments, scratch.path().string(), limit_seconds_);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  CompileResult result{.image = std::nullopt, .log = tidy_log(run.output)};
  if (!run.reason.empty()) fail(ATTUNE_ERROR_NO_COMPILER, "{}; {}", run.reason, kAdvice);
  if (run.timed_out) {
    result.end = CompileEnd::timed_out;
    result.log += fmt::format("{} took longer than {} s and was stopped\n", tools.path, limit_seconds_);
  }
  if (run.signal != 0) {
    result.end = CompileEnd::crashed;
    result.log += fmt::format("{} was killed by signal {}\n", tools.path, run.signal);
  }
  if (run.exit_code != 0) {
    if (result.log.empty()) result.log = fmt::format("{} failed without a message\n", tools.path);
    return result;
  }
  std::optional<std::string> bytes = read_file(scratch.path() / kImageName);
  if (!bytes) {
    result.log += fmt::format("{} wrote no image\n", tools.path);
    return result;
  }
  CompiledImage image;
  image.bytes = *std::move(bytes);
  image.entry = source.entry;
  image.log = result.log;
  image.hash = content_hash(image.bytes);
  image.compile_seconds = seconds;
  result.image = std::move(image);
  return result;
}

}  // namespace attune

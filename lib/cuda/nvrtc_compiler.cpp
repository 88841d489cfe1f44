#include "cuda/nvrtc_compiler.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "base/hash.h"
#include "cuda/ptxas_log.h"

namespace attune {
namespace {

// 90 for "sm_90a"; 0 when the text is not of that form. compute_90 would give PTX only, which is not what is
// loaded.
int capability_of(std::string_view arch) {
  constexpr std::string_view kPrefix = "sm_";
  if (!arch.starts_with(kPrefix)) return 0;
  arch.remove_prefix(kPrefix.size());
  if (arch.ends_with('a') || arch.ends_with('f')) arch.remove_suffix(1);
  int capability = 0;
  const auto [end, error] = std::from_chars(arch.data(), arch.data() + arch.size(), capability);
  return error == std::errc() && end == arch.data() + arch.size() && capability > 0 ? capability : 0;
}

void check_arch(const NvrtcLibrary& library, const std::string& arch) {
  const int capability = capability_of(arch);
  if (capability == 0) {
    fail(ATTUNE_ERROR_INVALID_ARGUMENT, "arch \"{}\": expected the form sm_90 or sm_90a", arch);
  }
  const std::vector<int> known = library.architectures();
  if (known.empty() || std::find(known.begin(), known.end(), capability) != known.end()) return;
  fail(ATTUNE_ERROR_UNSUPPORTED, "NVRTC {} ({}) does not compile for {}; it does for sm_{}",
       to_string(library.version()), library.path(), arch, fmt::join(known, " sm_"));
}

std::vector<std::string> options_for(NvrtcVersion version, const std::string& arch) {
  std::vector<std::string> options = {
      "--gpu-architecture=" + arch,
      "-std=c++17",
      "-default-device",     // constexpr functions shared with the host carry no __device__
      "--ptxas-options=-v",  // registers and spills go into the log
      "-DATTUNE_NVRTC=1",
  };
  // NVRTC's own cache (since 12.9) answers without the assembler's report.
  if (version >= NvrtcVersion{12, 9}) options.push_back("--no-cache");
  return options;
}

}  // namespace

NvrtcCompiler::NvrtcCompiler(const NvrtcSearch& search, const std::string& arch)
    : library_(search.require().library), arch_(arch), options_(options_for(library_->version(), arch)) {
  check_arch(*library_, arch_);
}

std::string NvrtcCompiler::identity() const {
  return fmt::format("nvrtc {} {} {}", to_string(library_->version()), arch_, fmt::join(options_, " "));
}

CompileResult NvrtcCompiler::compile(const KernelSource& source) {
  // Headers keep their paths below kernel_templates/, so messages name the real file and line. A header given
  // this way wins over a file of that name in the working directory.
  std::vector<NvrtcHeader> headers;
  for (const SourceFile& file : source.files) {
    if (file.path != source.main_path)
      headers.push_back({.name = file.path.c_str(), .text = file.text.c_str()});
  }
  const auto start = std::chrono::steady_clock::now();
  NvrtcBuild build = library_->build(source.main_path.c_str(), source.file(source.main_path).text.c_str(),
                                     headers, options_);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;

  if (build.broken) {
    fail(ATTUNE_ERROR_NO_COMPILER,
         "NVRTC {} ({}) does not work: {}: {}; libnvrtc-builtins.so.{} must lie beside it",
         to_string(library_->version()), library_->path(), build.error, build.log,
         to_string(library_->version()));
  }
  if (!build.ok || build.cubin.empty()) {
    const std::string why = build.ok ? "no machine code came out" : build.error;
    return {.image = std::nullopt, .log = build.log.empty() ? why : fmt::format("{}\n{}", build.log, why)};
  }
  const PtxasReport report = parse_ptxas_log(build.log);
  CompiledImage image;
  image.bytes = std::move(build.cubin);
  image.entry = source.entry;
  image.log = build.log;
  image.hash = content_hash(image.bytes);
  image.registers = report.registers;
  image.spill_bytes = report.spill_bytes;
  image.static_shared_bytes = report.static_shared_bytes;
  image.compile_seconds = elapsed.count();
  return {.image = std::move(image), .log = std::move(build.log)};
}

std::unique_ptr<Compiler> make_compile_only(const std::string& arch, const std::string& nvrtc_path) {
  return std::make_unique<NvrtcCompiler>(search_nvrtc(nvrtc_hints(nvrtc_path), std::nullopt), arch);
}

}  // namespace attune

#include "cuda/nvrtc_library.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>
#include <nvrtc.h>

#include <filesystem>
#include <system_error>
#include <type_traits>

namespace attune {
namespace fs = std::filesystem;

// Signatures are spelled out: those of NVRTC have not changed since 11.1.
struct NvrtcLibrary::Api {
  nvrtcResult (*version)(int* major, int* minor) = nullptr;
  const char* (*get_error_string)(nvrtcResult result) = nullptr;
  nvrtcResult (*get_num_supported_archs)(int* count) = nullptr;
  nvrtcResult (*get_supported_archs)(int* archs) = nullptr;
  nvrtcResult (*create_program)(nvrtcProgram* program, const char* text, const char* name, int header_count,
                                const char* const* headers, const char* const* header_names) = nullptr;
  nvrtcResult (*destroy_program)(nvrtcProgram* program) = nullptr;
  nvrtcResult (*compile_program)(nvrtcProgram program, int option_count,
                                 const char* const* options) = nullptr;
  nvrtcResult (*get_log_size)(nvrtcProgram program, size_t* bytes) = nullptr;
  nvrtcResult (*get_log)(nvrtcProgram program, char* log) = nullptr;
  nvrtcResult (*get_cubin_size)(nvrtcProgram program, size_t* bytes) = nullptr;
  nvrtcResult (*get_cubin)(nvrtcProgram program, char* cubin) = nullptr;

  // The first symbol that is missing; nullptr when all are there.
  const char* load(void* library);
};

namespace {

// Destroys the program whatever happens.
template <typename Destroy>
class Program {
 public:
  explicit Program(Destroy destroy) : destroy_(destroy) {}
  ~Program() {
    if (handle) destroy_(&handle);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  nvrtcProgram handle = nullptr;

 private:
  Destroy destroy_;
};

// Where the loader found it. Empty when that cannot be told.
std::string path_of(void* library) {
  link_map* map = nullptr;
  if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0 || !map || !map->l_name) return {};
  std::error_code error;
  const fs::path real = fs::canonical(map->l_name, error);
  return error ? std::string(map->l_name) : real.string();
}

}  // namespace

std::string to_string(NvrtcVersion version) {
  return fmt::format("{}.{}", version.major, version.minor);
}

const char* NvrtcLibrary::Api::load(void* library) {
  const char* missing = nullptr;
  const auto find = [&](auto& member, const char* symbol) {
    member = reinterpret_cast<std::remove_reference_t<decltype(member)>>(dlsym(library, symbol));
    if (!member && !missing) missing = symbol;
  };
  find(version, "nvrtcVersion");
  find(get_error_string, "nvrtcGetErrorString");
  find(get_num_supported_archs, "nvrtcGetNumSupportedArchs");
  find(get_supported_archs, "nvrtcGetSupportedArchs");
  find(create_program, "nvrtcCreateProgram");
  find(destroy_program, "nvrtcDestroyProgram");
  find(compile_program, "nvrtcCompileProgram");
  find(get_log_size, "nvrtcGetProgramLogSize");
  find(get_log, "nvrtcGetProgramLog");
  find(get_cubin_size, "nvrtcGetCUBINSize");
  find(get_cubin, "nvrtcGetCUBIN");
  return missing;
}

NvrtcLibrary::NvrtcLibrary() : api_(std::make_unique<Api>()) {}

NvrtcLibrary::~NvrtcLibrary() {
  if (handle_) dlclose(handle_);
}

std::shared_ptr<const NvrtcLibrary> NvrtcLibrary::open(const std::string& name, std::string& why_not) {
  const std::shared_ptr<NvrtcLibrary> library(new NvrtcLibrary);
  // Local: several versions may be open side by side while the best is chosen.
  library->handle_ = dlopen(name.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (!library->handle_) {
    const char* reason = dlerror();
    why_not = reason ? reason : "cannot be opened";
    return nullptr;
  }
  if (const char* missing = library->api_->load(library->handle_)) {
    why_not = fmt::format("no usable NVRTC: it has no {}", missing);
    return nullptr;
  }
  NvrtcVersion& version = library->version_;
  if (library->api_->version(&version.major, &version.minor) != NVRTC_SUCCESS || version.major <= 0) {
    why_not = "no usable NVRTC: nvrtcVersion fails";
    return nullptr;
  }
  library->path_ = path_of(library->handle_);
  if (library->path_.empty()) library->path_ = name;
  return library;
}

std::vector<int> NvrtcLibrary::architectures() const {
  int count = 0;
  if (api_->get_num_supported_archs(&count) != NVRTC_SUCCESS || count <= 0) return {};
  std::vector<int> archs(static_cast<size_t>(count));
  if (api_->get_supported_archs(archs.data()) != NVRTC_SUCCESS) archs.clear();
  return archs;
}

void NvrtcLibrary::keep() const {
  // NVRTC leaves thread-local destructors behind; they must find its code when a thread ends after us.
  dlopen(path_.c_str(), RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
  // NOTE: NVRTC opens its builtins by bare name for each program, and the toolkit's libraries carry no run
  // path: they would be found only where the loader's cache names them, and then maybe another toolkit's.
  // Open beforehand, that name means this file; a failure shows at the first build.
  const std::string builtins = "libnvrtc-builtins.so." + to_string(version_);
  dlopen((fs::path(path_).parent_path() / builtins).c_str(), RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
}

NvrtcBuild NvrtcLibrary::build(const char* name, const char* text, std::span<const NvrtcHeader> headers,
                               std::span<const std::string> options) const {
  std::vector<const char*> header_names, header_texts, option_texts;
  for (const NvrtcHeader& header : headers) {
    header_names.push_back(header.name);
    header_texts.push_back(header.text);
  }
  for (const std::string& option : options)
    option_texts.push_back(option.c_str());

  NvrtcBuild build;
  const auto check = [&](nvrtcResult result) {
    if (result == NVRTC_SUCCESS) return true;
    build.error = api_->get_error_string(result);
    build.broken = result == NVRTC_ERROR_BUILTIN_OPERATION_FAILURE;
    return false;
  };
  Program program(api_->destroy_program);
  if (!check(api_->create_program(&program.handle, text, name, static_cast<int>(headers.size()),
                                  header_texts.data(), header_names.data()))) {
    return build;
  }
  const nvrtcResult compiled =
      api_->compile_program(program.handle, static_cast<int>(option_texts.size()), option_texts.data());
  size_t bytes = 0;
  if (api_->get_log_size(program.handle, &bytes) == NVRTC_SUCCESS && bytes > 1) {
    build.log.resize(bytes);
    if (api_->get_log(program.handle, build.log.data()) != NVRTC_SUCCESS) build.log.clear();
    build.log.resize(build.log.find_last_not_of('\0') + 1);
  }
  if (!check(compiled) || !check(api_->get_cubin_size(program.handle, &bytes))) return build;
  build.cubin.resize(bytes);
  build.ok = check(api_->get_cubin(program.handle, build.cubin.data()));
  return build;
}

}  // namespace attune

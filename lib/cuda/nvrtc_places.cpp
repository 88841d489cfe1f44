#include "cuda/nvrtc_places.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <system_error>

#include "base/environment.h"

namespace attune {
namespace fs = std::filesystem;
namespace {

// Majors the loader is asked for, newest first. 12 is the oldest that knows sm_90a; the others are yet to
// come.
constexpr std::array kLoaderNames = {"libnvrtc.so.15", "libnvrtc.so.14", "libnvrtc.so.13", "libnvrtc.so.12",
                                     "libnvrtc.so"};

// Below a toolkit, a wheel's folder or any folder that was named: where the library may be.
constexpr std::array kToolkitFolders = {
    "", "lib64", "lib", "targets/*-linux/lib", "nvidia/cu[0-9]*/lib", "nvidia/cuda_nvrtc/lib"};
constexpr std::array kWheelFolders = {"nvidia/cu[0-9]*/lib", "nvidia/cuda_nvrtc/lib"};

// Existing paths base/pattern, sorted. Wildcards count in `pattern` only.
std::vector<fs::path> expand(const fs::path& base, const std::string& pattern) {
  std::string escaped;
  for (const char c : base.string()) {
    if (std::string_view("*?[]\\").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  if (!pattern.empty()) escaped += (escaped.ends_with('/') ? "" : "/") + pattern;
  glob_t found{};
  std::vector<fs::path> paths;
  if (glob(escaped.c_str(), 0, nullptr, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; ++i)
      paths.emplace_back(found.gl_pathv[i]);
  }
  globfree(&found);
  return paths;
}

// The real files libnvrtc.so* of a folder, each once however many links lead to it.
std::vector<std::string> libraries_in(const fs::path& folder) {
  std::vector<std::string> files;
  for (const fs::path& link : expand(folder, "libnvrtc.so*")) {
    std::error_code error;
    const fs::path file = fs::canonical(link, error);
    if (error || !fs::is_regular_file(file, error)) continue;
    if (std::find(files.begin(), files.end(), file.string()) == files.end()) files.push_back(file.string());
  }
  return files;
}

// Everything below `base`; when there is nothing, one place that says so.
template <size_t N>
void add_folder(std::vector<NvrtcPlace>& places, const std::string& origin, const fs::path& base,
                const std::array<const char*, N>& subfolders) {
  bool found = false;
  for (const char* subfolder : subfolders) {
    for (const fs::path& folder : expand(base, subfolder)) {
      for (std::string& file : libraries_in(folder)) {
        // lib64 is often a link to lib.
        const auto same = [&](const NvrtcPlace& place) {
          return place.origin == origin && place.name == file;
        };
        if (std::none_of(places.begin(), places.end(), same)) {
          places.push_back({.origin = origin, .name = std::move(file), .problem = {}});
        }
        found = true;
      }
    }
  }
  if (found) return;
  std::error_code error;
  const std::string problem = fs::is_directory(base, error) ? fmt::format("no libnvrtc.so* in it, nor in {}",
                                                                          fmt::join(subfolders, " "))
                                                            : std::string("no such folder");
  places.push_back({.origin = origin, .name = base.string(), .problem = problem});
}

// Wheels in every folder that `pattern` stands for. None there: nothing to report but the pattern.
void add_wheels(std::vector<NvrtcPlace>& places, const std::string& origin, const fs::path& base,
                const std::string& pattern) {
  const std::vector<fs::path> folders = expand(base, pattern);
  for (const fs::path& folder : folders)
    add_folder(places, origin, folder, kWheelFolders);
  if (folders.empty()) {
    places.push_back({.origin = origin, .name = (base / pattern).string(), .problem = "no such folder"});
  }
}

std::vector<NvrtcPlace> requested_places(const NvrtcHints& hints) {
  std::vector<NvrtcPlace> places;
  std::error_code error;
  if (fs::is_directory(hints.requested, error)) {
    add_folder(places, hints.requested_origin, hints.requested, kToolkitFolders);
    return places;
  }
  // A bare name such as libnvrtc.so.12 is for the loader, as it is for dlopen.
  const bool bare = hints.requested.find('/') == std::string::npos && !fs::exists(hints.requested, error);
  NvrtcPlace place{
      .origin = hints.requested_origin, .name = hints.requested, .problem = {}, .by_loader = bare};
  if (!bare) {
    const fs::path file = fs::canonical(hints.requested, error);
    if (error) {
      place.problem = "no such file or folder";
    } else {
      place.name = file.string();
    }
  }
  places.push_back(std::move(place));
  return places;
}

std::string variable(const char* name) {
  const char* value = secure_getenv(name);
  return value ? value : "";
}

// <folder> of <folder>/attune/lib/libattune.so and <folder>/attune/bin/attune-tune, as a wheel lays them out.
std::string wheel_folder_of(const fs::path& file) {
  std::error_code error;
  const fs::path folder = fs::canonical(file, error).parent_path();
  const bool in_wheel = !error && (folder.filename() == "lib" || folder.filename() == "bin") &&
                        fs::exists(folder.parent_path() / "_native.abi3.so", error);
  return in_wheel ? folder.parent_path().parent_path().string() : std::string();
}

// An interpreter of a virtual environment that was not activated tells nobody where its wheels are.
std::string own_wheel_folder() {
  Dl_info info{};
  const bool known = dladdr(reinterpret_cast<void*>(&own_wheel_folder), &info) != 0 && info.dli_fname;
  const std::string beside_library = known ? wheel_folder_of(info.dli_fname) : std::string();
  return beside_library.empty() ? wheel_folder_of("/proc/self/exe") : beside_library;
}

}  // namespace

NvrtcHints nvrtc_hints(const std::string& option) {
  NvrtcHints hints;
  hints.requested = option;
  if (option.empty()) {
    hints.requested = environment_value(EnvironmentVariable::nvrtc).value_or("");
    hints.requested_origin = "ATTUNE_NVRTC";
  }
  hints.cuda_path = variable("CUDA_PATH");
  hints.cuda_home = variable("CUDA_HOME");
  hints.virtual_env = variable("VIRTUAL_ENV");
  hints.home = variable("HOME");
  hints.site_packages = own_wheel_folder();
  return hints;
}

std::vector<NvrtcPlace> nvrtc_places(const NvrtcHints& hints) {
  if (!hints.requested.empty()) return requested_places(hints);
  std::vector<NvrtcPlace> places;
  if (!hints.cuda_path.empty()) add_folder(places, "CUDA_PATH", hints.cuda_path, kToolkitFolders);
  if (!hints.cuda_home.empty()) add_folder(places, "CUDA_HOME", hints.cuda_home, kToolkitFolders);
  if (hints.loader) {
    for (const char* name : kLoaderNames) {
      places.push_back({.origin = "loader path", .name = name, .problem = {}, .by_loader = true});
    }
  }
  const std::vector<fs::path> toolkits = expand(hints.root, "usr/local/cuda*");
  for (const fs::path& toolkit : toolkits)
    add_folder(places, "/usr/local/cuda*", toolkit, kToolkitFolders);
  if (toolkits.empty()) {
    const fs::path pattern = hints.root / "usr/local/cuda*";
    places.push_back({.origin = "/usr/local/cuda*", .name = pattern.string(), .problem = "no such folder"});
  }
  if (!hints.virtual_env.empty()) {
    add_wheels(places, "VIRTUAL_ENV", hints.virtual_env, "lib/python3*/site-packages");
  }
  if (!hints.site_packages.empty())
    add_folder(places, "wheels beside attune", hints.site_packages, kWheelFolders);
  if (!hints.home.empty())
    add_wheels(places, "user's wheels", hints.home, ".local/lib/python3*/site-packages");
  add_wheels(places, "system's wheels", hints.root, "usr/local/lib/python3*/site-packages");
  add_wheels(places, "system's wheels", hints.root, "usr/local/lib/python3*/dist-packages");
  add_wheels(places, "system's wheels", hints.root, "usr/lib/python3/dist-packages");
  return places;
}

}  // namespace attune

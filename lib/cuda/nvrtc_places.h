// Where libnvrtc may lie: the files and loader names to try, in order of precedence. Opens nothing.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace attune {

// What decides where to look; filled by hand in tests.
struct NvrtcHints {
  std::string requested;  // a file or folder that was asked for; then nothing else is looked at
  std::string requested_origin = "option";
  std::string cuda_path;  // $CUDA_PATH and so on; empty when unset
  std::string cuda_home;
  std::string virtual_env;
  std::string home;
  std::string site_packages;  // where the Python package lies that this library is part of; empty elsewhere
  std::filesystem::path root = "/";  // of the system's folders
  bool loader = true;                // ask the dynamic loader, too
};

// From the environment. An empty `option` takes ATTUNE_NVRTC.
NvrtcHints nvrtc_hints(const std::string& option);

struct NvrtcPlace {
  std::string origin;      // "CUDA_PATH", "loader path", "/usr/local/cuda*", ...
  std::string name;        // the file, or the loader's name for it, or the folder when there is nothing in it
  std::string problem;     // why there is nothing to open; empty when there is
  bool by_loader = false;  // `name` is for the loader to find
};

std::vector<NvrtcPlace> nvrtc_places(const NvrtcHints& hints);

}  // namespace attune

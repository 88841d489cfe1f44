#include "cuda/nvrtc_search.h"

#include <algorithm>

namespace attune {
namespace {

// What to install so that a driver of this CUDA major can load its code. PyPI's name lost its suffix with
// CUDA 13.
std::string way_out(std::optional<int> driver_cuda_version) {
  const bool before_13 = driver_cuda_version && *driver_cuda_version < 13000;
  return fmt::format(
      "`pip install nvidia-cuda-nvrtc{}` or install the CUDA toolkit; set ATTUNE_NVRTC when it is elsewhere",
      before_13 ? fmt::format("-cu{}", *driver_cuda_version / 1000) : "");
}

std::string list_of_places(std::span<const NvrtcCandidate> candidates) {
  std::string list;
  for (const NvrtcCandidate& candidate : candidates) {
    list += fmt::format("\n  {} {}: {}", candidate.origin, candidate.path, candidate.result);
  }
  return list;
}

// Opens one place, unless an earlier candidate is the same file.
std::shared_ptr<const NvrtcLibrary> try_place(const NvrtcPlace& place, std::span<const NvrtcCandidate> tried,
                                              NvrtcCandidate& candidate) {
  candidate.origin = place.origin;
  candidate.path = place.name;
  candidate.result = place.problem;
  if (!place.problem.empty()) return nullptr;

  const auto is_known = [&](const std::string& path) {
    const auto usable_there = [&](const NvrtcCandidate& other) {
      return other.version.major > 0 && other.path == path;
    };
    const auto same = std::find_if(tried.begin(), tried.end(), usable_there);
    if (same == tried.end()) return false;
    candidate.result = fmt::format("same file as that of {}", same->origin);
    return true;
  };
  if (is_known(place.name)) return nullptr;
  std::shared_ptr<const NvrtcLibrary> library = NvrtcLibrary::open(place.name, candidate.result);
  if (!library) return nullptr;
  candidate.path = library->path();
  if (place.by_loader && is_known(candidate.path)) return nullptr;
  candidate.version = library->version();
  candidate.result = "NVRTC " + to_string(candidate.version);
  return library;
}

}  // namespace

NvrtcChoice choose_nvrtc(std::span<const NvrtcCandidate> candidates, std::optional<int> driver_cuda_version) {
  NvrtcChoice choice;
  std::optional<size_t> oldest_too_new;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const NvrtcVersion version = candidates[i].version;
    if (version.major <= 0) continue;
    // Within a major version, a driver loads the machine code of every minor version.
    if (driver_cuda_version && version.major > *driver_cuda_version / 1000) {
      if (!oldest_too_new || version < candidates[*oldest_too_new].version) oldest_too_new = i;
    } else if (!choice.index || version > candidates[*choice.index].version) {
      choice.index = i;
    }
  }
  if (choice.index) return choice;
  if (oldest_too_new) {
    const NvrtcCandidate& found = candidates[*oldest_too_new];
    choice.status = ATTUNE_ERROR_INCOMPATIBLE_DRIVER;
    choice.reason = fmt::format(
        "NVRTC {} ({}) is newer than the driver, which loads code of CUDA {}.{} and older: update the "
        "driver, or get an "
        "older NVRTC: {}",
        to_string(found.version), found.path, *driver_cuda_version / 1000, *driver_cuda_version % 1000 / 10,
        way_out(driver_cuda_version));
  } else {
    choice.status = ATTUNE_ERROR_NO_COMPILER;
    choice.reason = fmt::format("no NVRTC (libnvrtc.so), which compiles the kernels: {}. Looked in:{}",
                                way_out(driver_cuda_version), list_of_places(candidates));
  }
  return choice;
}

const NvrtcSearch& NvrtcSearch::require() const {
  if (!library) throw Error(choice.status, choice.reason);
  return *this;
}

NvrtcSearch search_nvrtc(const NvrtcHints& hints, std::optional<int> driver_cuda_version) {
  const std::vector<NvrtcPlace> places = nvrtc_places(hints);
  NvrtcSearch search;
  search.tried.resize(places.size());
  std::vector<std::shared_ptr<const NvrtcLibrary>> libraries(places.size());
  // NOTE: the loader is asked first of all, although it has not the first say: once a file is open, the
  // loader answers its name with that file and never looks further.
  for (const bool by_loader : {true, false}) {
    for (size_t i = 0; i < places.size(); ++i) {
      if (places[i].by_loader != by_loader) continue;
      libraries[i] = try_place(places[i], search.tried, search.tried[i]);
    }
  }
  search.choice = choose_nvrtc(search.tried, driver_cuda_version);
  if (!search.choice.index) return search;
  search.library = std::move(libraries[*search.choice.index]);
  libraries.clear();  // before the builtins are opened: another version's must not answer to their name
  search.library->keep();
  return search;
}

}  // namespace attune

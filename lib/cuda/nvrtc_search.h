// The search for a libnvrtc: every place tried with its result, and the newest one whose code the driver can
// load.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "cuda/nvrtc_library.h"
#include "cuda/nvrtc_places.h"

namespace attune {

struct NvrtcCandidate {
  std::string origin;    // "option", "CUDA_PATH", "loader path", ...
  std::string path;      // file, or the folder or name where nothing was found
  NvrtcVersion version;  // 0.0 when it cannot be used
  std::string result;    // "NVRTC 13.0", or why it cannot be used
};

struct NvrtcChoice {
  std::optional<size_t> index;  // of the candidate; nothing when none will do
  Status status = ATTUNE_OK;    // NO_COMPILER or INCOMPATIBLE_DRIVER without one
  std::string reason;           // with both versions, or the places and the way out
};

// The newest candidate whose major version is at most the driver's, the first of equals.
// `driver_cuda_version` counts as CUDA does (13000); without a driver the newest wins.
NvrtcChoice choose_nvrtc(std::span<const NvrtcCandidate> candidates, std::optional<int> driver_cuda_version);

struct NvrtcSearch {
  std::vector<NvrtcCandidate> tried;  // in order of precedence
  NvrtcChoice choice;
  std::shared_ptr<const NvrtcLibrary> library;  // the chosen one, kept open; nullptr when none will do

  // Throws Error with the choice's status and reason when there is none.
  const NvrtcSearch& require() const;
};

// Never throws for what it finds or does not find: `attune-inspect doctor` prints failures, too.
NvrtcSearch search_nvrtc(const NvrtcHints& hints, std::optional<int> driver_cuda_version);

}  // namespace attune
